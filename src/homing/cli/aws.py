"""homing aws: the serverless stack. Each command is in a file beside this one."""

from __future__ import annotations

import click

from homing.cli.aws_deploy import deploy
from homing.cli.aws_package import costs, package
from homing.cli.aws_stack import delete, logs, status


@click.group()
def aws() -> None:
    """Run Homing on AWS: Lambda, DynamoDB and Route 53.

    Needs `pip install 'homing[aws]'` and AWS credentials. The commands about hosts work on a stack with --stack.

    \b
    Example:
      homing aws deploy example.com
      homing host add cam.example.com --stack homing
    """


for _command in (deploy, status, logs, delete, costs, package):
    aws.add_command(_command)
