"""The whole stack in a real AWS account: made, tried step by step, and removed (`make e2e-aws`).

What the tests cannot know without an account is listed in docs/aws/not-tried.md, each with the step that tries it. No
secret is printed or written down by anything in this folder, and nothing is removed that does not carry a run's name.
"""
