"""The template of the AWS stack, rendered and checked offline."""
