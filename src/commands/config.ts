/** `ckpt config`: which settings hold for a run, and where each comes from. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { CkptError } from '../core/errors.js'
import { didYouMean } from '../core/choosing/expression/index.js'
import { runArgument } from '../cli/flags/common-flags.js'
import type { TypedFlags } from '../cli/request.js'
import { configDocument, renderConfig, type ConfigView } from '../render/config.js'
import { toJson } from '../render/json.js'
import { printable } from '../render/printable.js'
import type { CommandFlags } from '../cli/settings/effective.js'
import { allCommands } from '../cli/settings/all-commands.js'

export default class Config extends BaseCommand<typeof Config> {
  static override isReader = true
  static override tellsMistakes = true
  static override summary = 'Show which settings hold for a run, and where each comes from'
  static override description = `Every flag of COMMAND, with the value it takes when it is not typed: from ckpt.yaml in the run or above it, from
your own settings, from the environment, or the built-in default; then the hooks. Without COMMAND, of every command
that has settings here. The files are read whole, and a mistake in them is reported with its line (docs/configuration.md).`
  static override examples = [
    {
      description: 'the settings that a prune of this run would use',
      command: '<%= config.bin %> config exp/save prune',
    },
    { description: 'everything that settings files say', command: '<%= config.bin %> config exp/save' },
    {
      description: 'what editors check ckpt.yaml against',
      command: '<%= config.bin %> config --schema > ckpt.schema.json',
    },
  ]
  static override usage = 'config [RUN] [COMMAND] [FLAGS]'
  static override args = {
    run: runArgument,
    command: Args.string({ description: 'as it is typed: prune, trash list', ignoreStdin: true }),
    word: Args.string({ hidden: true, ignoreStdin: true }),
  }
  static override flags = {
    schema: Flags.boolean({ description: 'print the JSON schema of ckpt.yaml' }),
  }

  private isForExact = false

  /** The run may be left out before a command. */
  protected override async init(): Promise<void> {
    const words = this.argv.filter((argument) => !argument.startsWith('-'))
    const [first = ''] = words
    const [there] = await this.storage.lstat([resolve(first)])
    const commands = await allCommands(this.program)
    const names = commands.map(({ name }) => name)
    const isLeftOut = there?.ok !== true && names.includes(words.join(' '))
    if (isLeftOut) this.argv = ['.', ...this.argv]
    const name = (isLeftOut ? words : words.slice(1)).join(' ')
    this.isForExact = commands.some((one) => one.name === name && one.isExact)
    await super.init()
  }

  /** The search begins where it does for the command that is asked about. */
  protected override async settingsFolder(path: string, flags: TypedFlags): Promise<string> {
    return this.isForExact ? path : super.settingsFolder(path, flags)
  }

  /** It is in the answer. */
  protected override tellLeftOut(): void {
    return
  }

  async run(): Promise<void> {
    const commands = await allCommands(this.program)
    if (this.flags.schema) {
      const { schemaOf } = await import('../cli/settings/schema.js')
      const schema = await schemaOf(commands)
      this.answer(schema, () => toJson(schema))
      return
    }
    const view = await this.look(commands)
    await this.tellAbsent(commands)
    if (this.wantsJson) {
      this.answer(configDocument(view), () => '')
      return
    }
    const lines = await renderConfig(view, this.output)
    this.answer(null, () => lines)
    if (view.files.length + view.leftOut.length === 0)
      this.note('no file has settings here: there is no ckpt.yaml in the run or above it')
  }

  /** A run may be asked about before its first start, and a command that is mistyped passes for one. */
  private async tellAbsent(commands: readonly CommandFlags[]): Promise<void> {
    const path = resolve(this.args.run)
    const [there] = await this.storage.lstat([path])
    if (there?.ok !== false || there.error.code !== 'not-found') return
    const names = this.args.command === undefined ? commands.map(({ name }) => name) : []
    const hint = didYouMean(this.args.run, names, (name) => `ckpt config ${name}`) ?? 'these settings will hold there'
    this.alert(`${printable(path)}: nothing there yet; ${hint}`)
  }

  private async look(commands: readonly CommandFlags[]): Promise<ConfigView> {
    const { effectiveFlags } = await import('../cli/settings/effective.js')
    const wanted = this.wanted(commands)
    const shown: ConfigView['commands'][number][] = []
    for (const command of commands) {
      // Those that are not shown are read too: a mistake in any is one.
      const flags = await effectiveFlags(this.files, command)
      const isSet = this.files.some(({ sections }) => sections.has(command.name))
      if (wanted === null ? isSet : wanted === command) shown.push({ name: command.name, flags })
    }
    return {
      run: await this.settingsFolder(resolve(this.args.run), this.flags),
      files: this.files.map(({ path }) => path),
      leftOut: this.leftOut,
      commands: shown,
      hooks: await this.hooks(),
    }
  }

  /** Null for all. Throws CkptError `usage`. */
  private wanted(commands: readonly CommandFlags[]): CommandFlags | null {
    const { command, word } = this.args
    if (command === undefined) return null
    const name = word === undefined ? command : `${command} ${word}`
    const found = commands.find((one) => one.name === name)
    if (found !== undefined) return found
    const meant = didYouMean(
      name,
      commands.map((one) => one.name),
    )
    const hint = meant ?? hintForSetting(commands, command, word)
    throw new CkptError('usage', `${JSON.stringify(name)} is not a command`, { hint })
  }
}

/** Who types `ckpt config set keep 2`, as with git, means a line of ckpt.yaml. */
function hintForSetting(commands: readonly CommandFlags[], flag: string, value = 'VALUE'): string {
  const [owner] = commands.filter(({ flags }) => Object.hasOwn(flags, flag)).sort(byUse)
  if (owner === undefined) return 'ckpt --help shows which commands there are'
  return `settings are written into ckpt.yaml with an editor: ${owner.name}: { ${flag}: ${value} }`
}

/** Most settings are a policy, which prune has first of all. */
function byUse(a: CommandFlags, b: CommandFlags): number {
  return Number(b.name === 'prune') - Number(a.name === 'prune')
}
