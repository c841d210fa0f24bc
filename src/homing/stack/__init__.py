"""The AWS stack as the operator's machine sees it: package, template, deployment, cost. Never part of a function."""
