"""`casework keys witness`: whose cosignatures this branch takes in and gives out."""

import click

from casework.cli.shell import as_json, print_json, told


@click.group("witness")
def cli() -> None:
    """The witnesses that this branch knows: add one, list them, forget one.

    A witness is a program on another machine that has looked at the log and signed what it saw, with the time
    (`casework witness`). It prints its key when it is made; internal audit brings it here.

    \b
    Examples:
      casework keys witness add audit.bank.example+1f0e7a9c+BGq…
      casework keys witness list
    """


@cli.command("add")
@click.argument("key")
def add(key: str) -> None:
    """Know one more: KEY is its verifier key, as `casework witness init` printed it.

    \b
    Examples:
      casework keys witness add audit.bank.example+1f0e7a9c+BGq…
    """
    from casework.log.write import witnesses
    from casework.log.write.signer import held
    from casework.settings import Settings

    with told():
        folder = Settings.from_environment().keys_dir
        with held(folder):
            click.echo(witnesses.add(folder, key).text)


@cli.command("list")
@as_json
def list_(json_: bool) -> None:
    """Print the verifier key of each, in the order in which they were added.

    \b
    Examples:
      casework keys witness list
    """
    from casework.log.write import witnesses
    from casework.settings import Settings

    with told():
        known = [key.text for key in witnesses.known_witnesses(Settings.from_environment().keys_dir)]
    if json_:
        print_json(known)
        return
    for text in known:
        click.echo(text)


@cli.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Forget NAME (or one KEY): its cosignatures stay on file, and are no longer given out or held against the log.

    \b
    Examples:
      casework keys witness remove audit.bank.example
    """
    from casework.log.write import witnesses
    from casework.log.write.signer import held
    from casework.settings import Settings

    with told():
        folder = Settings.from_environment().keys_dir
        with held(folder):
            for key in witnesses.remove(folder, name):
                click.echo(f"forgotten 已移除: {key.text}")


__all__ = ["cli"]
