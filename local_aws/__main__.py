"""`python -m local_aws [--once]`: the serverless system on loopback, for `make demo-aws`."""

from local_aws.demo import main

if __name__ == "__main__":
    main()
