"""`python -m deltawire`: the same as the `deltawire` command, for children started with a known interpreter."""

from deltawire.cli.main import app

if __name__ == "__main__":
    app(prog_name="deltawire")
