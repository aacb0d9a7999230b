/**
 * oclif's help, but a description does not repeat the summary, its lines flow into the width there is, and the exit
 * statuses stand below.
 */
import { CommandHelp, Help } from '@oclif/core'

class FlowingHelp extends CommandHelp {
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
  ['6', 'partly done: what remains is listed'],
  ['130', 'interrupted'],
]

export default class CkptHelp extends Help {
  protected override CommandHelpClass = FlowingHelp
}

/** Single line breaks become spaces; empty lines separate paragraphs, and indented lines stay as they are. */
function flow(text: string): string {
  return text.replace(/(\S)\n(?=\S)/g, '$1 ')
}
