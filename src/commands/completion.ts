/** `ckpt completion`: the script that a shell completes ckpt's arguments with. */
import { basename } from 'node:path'
import { Args } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { completionScripts, isShell, shells } from '../cli/completion/scripts.js'
import { CkptError } from '../core/errors.js'

export default class Completion extends BaseCommand<typeof Completion> {
  static override isReader = true
  static override isExact = true
  static override summary = 'Print the completion script of a shell: bash, zsh or fish'
  static override description = `Completes commands, flags, files, checkpoint names, metric keys and runs, anywhere in the line. Put the line for your
shell into its start-up file, and start a new shell:

  bash, in ~/.bashrc:  source <(ckpt completion bash)
  zsh, in ~/.zshrc:    source <(ckpt completion zsh)
  fish, once:
    ckpt completion fish > ~/.config/fish/completions/ckpt.fish`
  static override examples = [
    { description: 'for this shell only', command: 'source <(<%= config.bin %> completion bash)' },
    {
      description: 'for every bash to come',
      command: `echo 'source <(<%= config.bin %> completion bash)' >> ~/.bashrc`,
    },
  ]
  static override args = {
    shell: Args.string({
      description: 'bash, zsh or fish; left out: the shell that SHELL names',
      options: [...shells],
      ignoreStdin: true,
    }),
  }
  static override flags = {}

  async run(): Promise<void> {
    const shell = this.args.shell ?? basename(process.env['SHELL'] ?? '')
    if (!isShell(shell)) {
      throw new CkptError('usage', `there is no completion for ${shell === '' ? 'an unnamed shell' : shell}`, {
        hint: 'name one: ckpt completion bash',
      })
    }
    const script = completionScripts[shell]
    this.answer({ shell, script }, () => script.trimEnd().split('\n'))
  }
}
