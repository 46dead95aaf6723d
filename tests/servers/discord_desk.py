"""A small real bot, on which the local Discord's own tests try the rest of the protocol."""

import io

import discord
from discord import app_commands

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


class Note(discord.ui.Modal, title="A note"):
    """One line to fill in."""

    text: discord.ui.TextInput["Note"] = discord.ui.TextInput(
        label="Text", custom_id="text", max_length=20
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Say it back."""
        await interaction.response.send_message(f"noted: {self.text.value}", ephemeral=True)


class Panel(discord.ui.View):
    """A button, a select, and a button that opens a form; they outlive every restart."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Refresh", custom_id="refresh")
    async def refresh(
        self, interaction: discord.Interaction, _: discord.ui.Button["Panel"]
    ) -> None:
        """Change the message itself."""
        await interaction.response.edit_message(content="fresh")

    @discord.ui.button(label="Note", custom_id="note")
    async def note(self, interaction: discord.Interaction, _: discord.ui.Button["Panel"]) -> None:
        """Open a form."""
        await interaction.response.send_modal(Note())

    @discord.ui.select(
        custom_id="review", options=[discord.SelectOption(label=n) for n in ("Noise", "Useful")]
    )
    async def review(
        self, interaction: discord.Interaction, select: discord.ui.Select["Panel"]
    ) -> None:
        """Promise a change, and keep the promise."""
        await interaction.response.defer()
        await interaction.edit_original_response(content=f"reviewed: {select.values[0]}")


class Desk(discord.Client):
    """Ready at once; `seen` are the interactions it was told of."""

    def __init__(self, intents: discord.Intents | None = None) -> None:
        super().__init__(
            intents=intents or discord.Intents(guilds=True),
            guild_ready_timeout=0.01,
            max_ratelimit_timeout=30,
        )
        self.tree = app_commands.CommandTree(self)
        self.seen: list[discord.Interaction] = []
        _add_commands(self.tree)
        _add_watch(self.tree)

    async def setup_hook(self) -> None:
        """Register the commands and the view."""
        self.add_view(Panel())
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The library waits five seconds here, for Discord's sake."""

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Of every kind."""
        self.seen.append(interaction)


def _add_commands(tree: app_commands.CommandTree[Desk]) -> None:
    @tree.command(description="Show a chart")
    @app_commands.describe(symbol="ticker", days="how many days")
    async def chart(
        interaction: discord.Interaction,
        symbol: str,
        days: app_commands.Range[int, 1, 3650] = 60,
    ) -> None:
        await interaction.response.defer(thinking=True)
        embed = discord.Embed(title=f"{symbol} {days}d").set_image(url="attachment://chart.png")
        file = discord.File(io.BytesIO(PNG), "chart.png", description="line chart")
        await interaction.edit_original_response(embed=embed, attachments=[file], view=Panel())
        await interaction.followup.send("a followup", ephemeral=True)

    @chart.autocomplete("symbol")
    async def symbols(
        interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        found = [s for s in ("AAPL", "AMZN", "MSFT") if s.startswith(current.upper())]
        return [app_commands.Choice(name=s, value=s) for s in found]

    @tree.command(description="Answer with a file, for one reader")
    async def export(interaction: discord.Interaction) -> None:
        file = discord.File(io.BytesIO(b"a,b\n"), "list.csv")
        await interaction.response.send_message("here", file=file, ephemeral=True)

    @tree.command(description="Promise an answer for one reader, and follow up")
    async def slow(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.followup.send("at last")

    @tree.command(description="For those who run the desk")
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    async def halt(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("halted", ephemeral=True)


def _add_watch(tree: app_commands.CommandTree[Desk]) -> None:
    watch = app_commands.Group(name="watch", description="The watch list")

    @watch.command(description="Add a symbol")
    @app_commands.describe(symbol="ticker", where="channel")
    async def add(
        interaction: discord.Interaction, symbol: str, where: discord.TextChannel | None = None
    ) -> None:
        place = f" in {where.id}" if where else ""
        await interaction.response.send_message(f"watching {symbol}{place}")

    tree.add_command(watch)
