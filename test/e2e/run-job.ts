/** Jobs in bash that `ckpt run` is to look after, and what it writes down of them. */
import { shell, temporaryDirectory, type Outcome } from './ckpt.js'
import { parse } from './runs.js'

/**
 * `save EPOCH KEY=VALUE…` makes a checkpoint in one step. It has been quiet for longer than an hour, so that nobody looks
 * at it twice.
 */
const saving = `save() {
  local epoch=$1 work="$CKPT_RUN/../work.$$"; shift
  mkdir -p "$work" "$CKPT_RUN"
  printf 'unixtime: %d.0\\nepoch: %d\\n' $((1700000000 + epoch)) "$epoch" > "$work/CKPT.yaml"
  for pair; do echo "\${pair%%=*}: \${pair#*=}" >> "$work/CKPT.yaml"; done
  echo "weights $epoch" > "$work/model.ckpt"
  touch -d '2 hours ago' "$work"/*
  mv "$work" "$CKPT_RUN/CKPT+ep$(printf %03d "$epoch")"
}
next=$((\${CKPT_META_EPOCH:-0} + 1))
`

export interface Job extends Outcome {
  readonly cwd: string
}

/** Runs `script` in bash under `ckpt run save FLAGS`, in a folder of its own unless one is given. */
export async function runJob(flags: string, script: string, cwd = temporaryDirectory()): Promise<Job> {
  const backOff = flags.includes('--back-off') ? '' : '--back-off 1ms'
  const command = `ckpt run save ${backOff} ${flags} -- bash -c "$script"`
  return { cwd, ...(await shell(command, { cwd, env: { script: `${saving}${script}` } })) }
}

export interface Log {
  readonly attempts: readonly {
    readonly reason: string
    readonly from: string | null
    readonly checkpoints: readonly { readonly epoch: number }[]
    readonly end: {
      readonly ending: string
      readonly why: string
      readonly status: number
      readonly next: string
    } | null
  }[]
}

export async function logOf(cwd: string): Promise<Log['attempts']> {
  return parse<Log>(await shell('ckpt log save --json', { cwd })).attempts
}

/** `failed: exit status 1 -> restart`, of each attempt. */
export async function endsOf(cwd: string): Promise<string[]> {
  return (await logOf(cwd)).map(({ end }) => `${end?.ending ?? 'none'}: ${end?.why ?? ''} -> ${end?.next ?? ''}`)
}
