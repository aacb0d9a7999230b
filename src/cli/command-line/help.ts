/**
 * oclif's help, but a description does not repeat the summary, its lines flow into the width there is, and the exit
 * statuses stand below.
 */
import { CommandHelp, Help, type Command } from '@oclif/core'
import { helpGroups, otherTitle } from './help-groups.js'
import { usageOf } from './usage.js'

class FlowingHelp extends CommandHelp {
  /** Every flag that need not be given stands right below, and which exclude each other it says itself. */
  protected override defaultUsage(): string {
    return usageOf(this.command)
  }

  protected override description(): string | undefined {
    const { description } = this.command
    return description === undefined ? undefined : this.wrap(flow(this.render(description)))
  }

  protected override sections() {
    const header = 'EXIT STATUS'
    return [...super.sections(), { header, generate: () => [{ header, body: exitStatuses }] }]
  }
}

/** docs/design.md §3. */
const exitStatuses: [string, string][] = [
  ['0', 'done'],
  ['1', 'a bug, or the system failed: disk full, permission'],
  ['2', 'usage: an unknown flag, a malformed expression, an impossible policy'],
  ['3', 'nothing found: no run there, or no checkpoint that matches'],
  ['4', 'damaged: what was found is not whole'],
  ['5', 'refused: it would have been unsafe'],
  ['6', 'partly done: what remains is listed; or what was named cannot be read'],
  ['130', 'interrupted'],
]

export default class CkptHelp extends Help {
  protected override CommandHelpClass = FlowingHelp

  /** By purpose, where oclif has topics and commands by the alphabet. */
  protected override async showRootHelp(): Promise<void> {
    this.log(`${this.formatRoot()}\n`)
    const rows = this.rootRows()
    const grouped = new Set(helpGroups.flatMap(({ names }) => names))
    for (const { title, names } of helpGroups) this.logRows(title, rows, names)
    this.logRows(
      otherTitle,
      rows,
      [...rows.keys()].filter((name) => !grouped.has(name)),
    )
  }

  /** oclif renames the commands that it lists, so that a second page of the topic would not find them. */
  protected override formatCommands(commands: Command.Loadable[]): string {
    return super.formatCommands(commands.map((command) => ({ ...command })))
  }

  /** What each command and topic is, by the first word that is typed; a command's word wins over its topic's. */
  private rootRows(): ReadonlyMap<string, string> {
    const topics = this.sortedTopics.map(({ name, description }) => [name, description ?? ''] as const)
    const commands = this.sortedCommands
      .filter(({ id, aliases }) => !id.includes(':') && !aliases.includes(id))
      .map((command) => [command.id, this.summary(command) ?? ''] as const)
    return new Map([...topics, ...commands])
  }

  private logRows(title: string, rows: ReadonlyMap<string, string>, names: readonly string[]): void {
    const body = names.flatMap((name) => (rows.has(name) ? [[name, rows.get(name)]] : []))
    const width = { indentation: 2, spacer: '\n', stripAnsi: this.opts.stripAnsi ?? false }
    if (body.length > 0) this.log(`${this.section(title, this.renderList(body, width))}\n`)
  }
}

/** Single line breaks become spaces; empty lines separate paragraphs, and indented lines stay as they are. */
function flow(text: string): string {
  return text.replace(/(\S)\n(?=\S)/g, '$1 ')
}
