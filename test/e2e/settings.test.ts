/** Flags from ckpt.yaml: what holds, and what is reported. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { asUser } from '../as-user.js'
import { ckpt, shell, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun, nameOf, parse } from './runs.js'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** A run with settings above it. */
function withSettings(text: string): { exp: string; run: string; file: string } {
  const run = makeRun(epochs(6))
  const exp = join(run, '..')
  const file = join(exp, 'ckpt.yaml')
  writeFileSync(file, text)
  return { exp, run, file }
}

async function found(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { status, stdout, stderr } = await ckpt(['find', ...args], { env })
  return status === 0 ? stdout.trim().replace(/^.*\//, '') : stderr
}

describe('a file of one’s own that is written last, in ckpt.yaml', () => {
  it('tells of each checkpoint of any layout that its save was finished', async () => {
    const { run } = withSettings('complete: .done\n')
    for (const epoch of [1, 2]) writeFileSync(join(run, nameOf(epoch), '.done'), '')
    expect(await found([run])).toBe(nameOf(2))
    expect((await ckpt(['recover', run])).stdout).toMatch(/CKPT\+ep002\n$/)
    expect((await ckpt(['list', run])).stdout).toMatch(/ep003.*unfinished/)
    // In a process of its own, which knows nothing of the settings before.
    expect((await shell('ckpt list "$RUN" --no-config', { env: { RUN: run } })).stdout).not.toContain('unfinished')
    expect((await ckpt(['prune', run, '--keep', '1', '--remove-damaged', '--yes'])).status).toBe(0)
    expect(existsSync(join(run, nameOf(1)))).toBe(false)
    expect(existsSync(join(run, nameOf(2)))).toBe(true)
  })

  it('goes with a checkpoint that is a file', async () => {
    const run = join(temporaryDirectory(), 'run')
    const from = join(project, 'test/fixtures/runs/frameworks/lightning/run/lightning_logs/version_0/checkpoints')
    cpSync(from, run, { recursive: true, preserveTimestamps: true })
    const names = readdirSync(run).filter((name) => name.startsWith('epoch='))
    writeFileSync(join(run, 'ckpt.yaml'), 'complete: "{checkpoint}.done"\n')
    for (const name of names.slice(0, 2)) writeFileSync(join(run, `${name}.done`), '')
    expect(await found([run])).toBe(names[1])
    expect((await ckpt(['rm', join(run, names[0] ?? ''), '--no-protect', '--yes'])).status).toBe(0)
    expect(readdirSync(run)).not.toContain(`${names[0]}.done`)
    expect(readdirSync(run)).toContain(`${names[1]}.done`)
  })

  it('is a name and nothing else: a mistake is told with its place', async () => {
    for (const text of ['a/b', '"*"', '..', '[x]', '"{checkpoint}"']) {
      const { run } = withSettings(`complete: ${text}\n`)
      const { status, stderr } = await ckpt(['list', run])
      expect(status).toBe(2)
      expect(stderr).toMatch(/ckpt\.yaml:1:/)
    }
  })
})

describe('a flag in ckpt.yaml', () => {
  it('holds for its command, gives way to the command line, and is taken back by --no-FLAG and --no-config', async () => {
    const { exp, run } = withSettings('find: {min: [loss]}\n')
    const best = await found([run, '--min', 'loss', '--no-config'])
    const newest = await found([run, '--no-config'])
    expect(best).not.toBe(newest)
    expect(await found([run])).toBe(best)
    expect(await found([exp])).toBe(best)
    expect(await found([run, '--max', 'epoch'])).toBe(newest)
    expect(await found([run, '--no-min'])).toBe(newest)
    expect(await found([run], { CKPT_NO_CONFIG: '1' })).toBe(newest)
  })

  it('gives way to a nearer file, and the own file of the user comes last', async () => {
    const { run } = withSettings('find: {where: ["epoch == 1"], num: 1}\n')
    const config = temporaryDirectory()
    mkdirSync(join(config, 'ckpt'))
    writeFileSync(join(config, 'ckpt', 'config.yaml'), 'find: {where: ["epoch == 3"], key: model}\n')
    const env = { XDG_CONFIG_HOME: config }
    expect((await ckpt(['find', run], { env })).stdout).toMatch(/\/model\.ckpt\n$/)
    writeFileSync(join(run, 'ckpt.yaml'), 'find: {where: ["epoch == 2"]}\n')
    const first = await found([run, '--no-config', '--where', 'epoch == 2'])
    expect((await ckpt(['find', run], { env })).stdout).toContain(first)
  })

  it('is a path from the folder of the file', async () => {
    const { exp, run } = withSettings('recover: {into: staged, link: hard}\n')
    const { status, stdout } = await ckpt(['recover', run])
    expect([status, stdout.startsWith(`${join(exp, 'staged')}/`)]).toEqual([0, true])
  })

  it('that answers a question is told', async () => {
    const { run, file } = withSettings('prune: {keep: 1, yes: true}\n')
    const { status, stderr } = await ckpt(['prune', run])
    expect([status, stderr]).toEqual([0, `nothing is asked: ${file}:1 says yes\nthe policy is that of ${file}\n`])
  })

  it('is left out where it excludes one that is typed', async () => {
    const { run } = withSettings('list: {limit: 1}\n')
    expect((await ckpt(['list', run])).stdout.split('\n')).toHaveLength(3)
    expect((await ckpt(['list', run, '--all'])).stdout.split('\n').length).toBeGreaterThan(3)
  })

  it('can be --json, and one of a command of two words', async () => {
    const { run } = withSettings('trash list: {json: true}\n')
    expect(JSON.parse((await ckpt(['trash', 'list', run])).stdout)).toBeTypeOf('object')
  })

  it.each([
    ['find: {mn: [WER]}', ':1:8: "mn" is not a flag of find', 'did you mean min?'],
    ['find:\n  num: many', ':2:8: --num takes a whole number, not many', 'for example num: 2'],
    ['find:\n  verify: deeep', ':2:11: --verify takes none, quick or deep, not deeep', 'did you mean deep?'],
    ['find:\n  by: "loss +"', ':2:7: ', undefined],
    ['find: {no-config: true}', ':1:8: "no-config" is not a flag of find', undefined],
    ['list:\n  all: true\n  limit: 2', undefined, undefined],
  ])('with a mistake is reported with its place: %j', async (text, place, hint) => {
    const { run, file } = withSettings(text)
    const { status, stderr } = await ckpt(['find', run])
    if (place === undefined) {
      expect(status).toBe(0)
      return
    }
    expect([status, stderr]).toEqual([2, expect.stringContaining(file + place) as string])
    if (hint !== undefined) expect(stderr).toContain(hint)
  })

  it.each([
    ['fnd: {min: [WER]}', 'line 1, column 1: "fnd" is not a section of ckpt.yaml', ':1:1: "fnd" is not'],
    ['trust: [/tmp]', 'line 1, column 9: trust stands in your own settings only', ':1:9: trust stands'],
    ['model: {layers: [1, 2', 'line 1, column ', ':1:'],
    [`find: {min: [WER]} # ${'x'.repeat(1 << 18)}`, '262165 bytes, and at most 262144', '262165 bytes'],
  ])('that is none keeps reading commands from nothing, which is reported: %.30s', async (text, reason, mistake) => {
    const { run, file } = withSettings(text)
    for (const command of ['list', 'find', 'recover']) {
      const { status, stderr } = await ckpt([command, run])
      expect([command, status]).toEqual([command, 0])
      expect(stderr).toContain(`warning: ${file} is left out: ${reason}`)
    }
    // What changes something might do what the file was to forbid.
    const { status, stderr } = await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect([status === 0, stderr.includes(mistake)]).toEqual([false, true])
    const told = await ckpt(['config', run])
    expect(told.stdout + told.stderr).toContain(mistake)
  })

  it.each([
    ['run: {retries: often}', ':1:16: --retries takes a count or "unlimited"'],
    ['run:\n  stall: soon', ':2:10: --stall takes a duration'],
    ['run: {no-retry-on: "2,999"}', ':1:20: --no-retry-on takes exit statuses from 0 to 255'],
    ['run: {simulate: [boom@1s]}', ':1:18: --simulate takes what and when'],
    ['run: {stop-when: "epoch >"}', ':1:18: '],
    ['stalled: {min: WER, max: ACC, patience: 2}', ':1:21: max and min exclude each other'],
  ])('of a job is reported with its place before there is one: %j', async (text, place) => {
    const { run, file } = withSettings(text)
    const { status, stderr } = await ckpt(['config', run])
    expect(status).toBe(2)
    expect(stderr).toContain(file)
    expect(stderr).toContain(place)
  })

  it('takes one value where another command takes several', async () => {
    const { run } = withSettings('stalled: {min: WER, patience: 2}\nrun: {stall: 30m, retries: failed=1}')
    expect((await ckpt(['stalled', run])).status).toBe(3)
    expect((await ckpt(['config', run])).stdout).toMatch(/stall +30m/)
  })

  it('excludes no other in one file', async () => {
    const { run, file } = withSettings('list:\n  all: true\n  limit: 2')
    const { status, stderr } = await ckpt(['list', run])
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining(`${file}:3:3: limit and all exclude each other`) as string,
    ])
  })
})

describe('a ckpt.yaml that somebody else may have written', () => {
  const isRoot = process.getuid?.() === 0
  const stranger = 65534

  /** Settings above a run that would be seen to be in force: the best by WER is another than the newest. */
  function suspect() {
    const made = withSettings('find: {max: [WER]}\nhooks: [{match: "*", verify: "touch ran"}]\n')
    return { ...made, ran: join(made.exp, 'ran') }
  }

  it('keeps no command from telling of a checkpoint that may not be looked into', async () => {
    const { exp, run } = withSettings('find: {max: [WER]}\n')
    for (const folder of [dirname(exp), exp, run]) chmodSync(folder, 0o755)
    const closed = join(run, nameOf(6))
    chmodSync(closed, 0)
    const { status, stdout, stderr } = await asUser(() => ckpt(['verify', closed]))
    chmodSync(closed, 0o755)
    expect([status, stdout]).toEqual([4, expect.stringMatching(/unreadable .* permission denied/) as string])
    expect(stderr).toContain(`${closed}/ckpt.yaml is left out`)
  })

  it('is left out by commands that read, with a warning', async () => {
    const { run, file, ran } = suspect()
    expect(await found([run])).toBe(await found([run, '--max', 'WER']))
    chmodSync(file, 0o666)
    const { status, stdout, stderr } = await ckpt(['find', run])
    expect([status, basename(stdout.trim())]).toEqual([0, await found([run, '--no-config'])])
    expect(stderr).toBe(`warning: ${file} is left out: anybody may write ${file}\n`)
    expect((await ckpt(['verify', run])).status).toBe(0)
    expect(existsSync(ran)).toBe(false)
  })

  it.each([['list'], ['find'], ['show'], ['verify'], ['recover'], ['trash list'], ['config'], ['diff'], ['tensors']])(
    'keeps %s from nothing, whatever it is',
    async (command) => {
      const { run, exp, file } = suspect()
      const model = join(exp, 'model.safetensors')
      copyFileSync(join(project, 'test/fixtures/transfer/001/source.safetensors'), model)
      writeFileSync(file, 'this: {is: [no, settings')
      chmodSync(file, 0o666)
      const args = command === 'diff' ? [model, model] : command === 'tensors' ? [model] : [run]
      expect(await ckpt([...command.split(' '), ...args])).toMatchObject({ status: 0 })
      expect((await ckpt([...command.split(' '), ...args, '--quiet'])).stderr).toBe('')
    },
  )

  it('is refused by commands that change something, with what to do', async () => {
    const { run, file } = suspect()
    chmodSync(file, 0o666)
    const { status, stderr } = await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(status).toBe(5)
    expect(stderr).toContain(`error: ${file}: its settings and hooks are not taken: anybody may write ${file}\n`)
    expect(stderr).toContain(`hint: chmod o-w ${file}, or leave settings out with --no-config\n`)
    expect((await ckpt(['prune', run, '--keep', '1', '--yes', '--no-config'])).status).toBe(0)
  })

  it('is listed by ckpt config, with the reason', async () => {
    const { run, file } = suspect()
    chmodSync(file, 0o666)
    const left = { path: file, reason: `anybody may write ${file}`, hint: `chmod o-w ${file}` }
    expect(parse<object>(await ckpt(['config', run, '--json']))).toMatchObject({
      files: [],
      leftOut: [left],
      hooks: [],
    })
    expect((await ckpt(['config', run])).stdout).toMatch(/LEFT OUT +WHY.*\n.*anybody may write/)
  })

  it('lies in a folder that anybody may write in', async () => {
    const { run, exp, file } = suspect()
    chmodSync(exp, 0o777)
    expect((await ckpt(['verify', run])).stderr).toContain(`${file} is left out: anybody may write in ${exp}`)
    chmodSync(exp, 0o1777)
    // Anybody may put a program of theirs beside it, which its hooks would take for the user's.
    expect((await ckpt(['verify', run])).stderr).toContain(
      `${file} is left out: anybody may write in ${exp}, where its hooks would run`,
    )
    writeFileSync(file, 'find: {num: 1}\n')
    expect((await ckpt(['verify', run])).stderr).toBe('')
  })

  it('is a link of one who is trusted: its commands run where the file itself lies', async () => {
    const { run, exp, file, ran } = suspect()
    const elsewhere = temporaryDirectory()
    renameSync(file, join(elsewhere, 'mine.yaml'))
    symlinkSync(join(elsewhere, 'mine.yaml'), file)
    expect((await ckpt(['verify', run])).stderr).toBe('')
    expect([existsSync(join(elsewhere, 'ran')), existsSync(ran)]).toEqual([true, false])
    // What leads there is looked at too.
    rmSync(join(elsewhere, 'ran'))
    chmodSync(elsewhere, 0o777)
    expect((await ckpt(['verify', run])).stderr).toContain(`anybody may write in ${elsewhere}`)
    expect([existsSync(join(elsewhere, 'ran')), exp]).toEqual([false, exp])
  })

  it('is a link that leads nowhere or in circles, a pipe or a folder: nothing hangs', async () => {
    const { run, file } = suspect()
    rmSync(file)
    symlinkSync('nowhere', file)
    expect(await ckpt(['find', run])).toMatchObject({ status: 0, stderr: '' })
    rmSync(file)
    symlinkSync('ckpt.yaml', file)
    expect((await ckpt(['find', run])).stderr).toContain('leads round in circles')
    rmSync(file)
    spawnSync('mkfifo', [file])
    expect(await ckpt(['find', run])).toMatchObject({
      status: 0,
      stderr: `warning: ${file} is left out: not a regular file\n`,
    })
    expect((await ckpt(['prune', run, '--keep', '1', '--yes'])).status).toBe(1)
    rmSync(file)
    mkdirSync(file)
    expect((await ckpt(['find', run])).status).toBe(0)
    expect((await ckpt(['prune', run, '--keep', '1', '--yes'])).status).toBe(1)
  })

  describe.runIf(isRoot)('of another user', () => {
    it.each([
      ['the file', (file: string) => lchownSync(file, stranger, stranger), 'the file'],
      ['its folder', (file: string) => lchownSync(dirname(file), stranger, stranger), 'the folder'],
      ['a link to it', (file: string) => linkOf(file), 'the link'],
      ['a pipe', (file: string) => pipeOf(file), 'the file'],
    ])('is left out: %s', async (_, spoil, what) => {
      const { run, file, ran } = suspect()
      spoil(file)
      const { status, stderr } = await ckpt(['verify', run])
      expect(status).toBe(0)
      expect(stderr).toContain(`${file} is left out: ${what}`)
      expect(stderr).toContain(`belongs to another user (${stranger}`)
      expect(existsSync(ran)).toBe(false)
      expect((await ckpt(['prune', run, '--keep', '2', '--yes'])).status).toBe(5)
    })

    it('is taken where the own settings trust its folder', async () => {
      const { run, exp, file, ran } = suspect()
      lchownSync(file, stranger, stranger)
      expect((await ckpt(['verify', run], { env: ownSettings(`trust: [${exp}]`) })).stderr).toBe('')
      expect(existsSync(ran)).toBe(true)
    })

    it('or a group of several people may write it: taken with trust: [group] alone', async () => {
      const { run, file, ran } = suspect()
      lchownSync(file, 0, stranger)
      chmodSync(file, 0o664)
      expect((await ckpt(['verify', run])).stderr).toContain(`others of the group ${stranger} may write ${file}`)
      expect(existsSync(ran)).toBe(false)
      expect((await ckpt(['verify', run], { env: ownSettings('trust: [group]') })).stderr).toBe('')
      expect(existsSync(ran)).toBe(true)
    })

    function linkOf(file: string): void {
      renameSync(file, `${file}.real`)
      symlinkSync(`${file}.real`, file)
      lchownSync(file, stranger, stranger)
    }

    function pipeOf(file: string): void {
      rmSync(file)
      spawnSync('mkfifo', [file])
      lchownSync(file, stranger, stranger)
    }
  })

  it('may be written by a group of the user alone', async () => {
    const { run, file, ran } = suspect()
    chmodSync(file, 0o664)
    const { stderr } = await ckpt(['verify', run])
    // Whoever runs this may share the first group with others.
    expect([stderr === '', stderr.includes('others of the group')]).toEqual([existsSync(ran), !existsSync(ran)])
    if (isRoot) expect(stderr).toBe('')
  })

  function ownSettings(text: string): Record<string, string> {
    const config = temporaryDirectory()
    mkdirSync(join(config, 'ckpt'))
    writeFileSync(join(config, 'ckpt', 'config.yaml'), text)
    return { XDG_CONFIG_HOME: config }
  }
})

describe('a mistake in ckpt.yaml', () => {
  it.each([
    ['list: {columns: "name,nosuch"}\n', ['list'], 'ckpt.yaml:1:8: no checkpoint has "nosuch"', 'ckpt show'],
    ['list:\n  sort: los\n', ['list'], 'ckpt.yaml:2:3: no checkpoint has "los"', 'did you mean "loss"?'],
    ['runs:\n  columns: nosuch\n', ['runs'], 'ckpt.yaml:2:3: no checkpoint has "nosuch"', 'ckpt show'],
    [
      'prune: {keep: -1}\n',
      ['prune', '--dry-run'],
      'ckpt.yaml:1:15: --keep takes a whole number from 0 up',
      '--keep 2',
    ],
    ['prune: {keep: 1, yes: maybe}\n', ['prune'], 'ckpt.yaml:1:23: yes is true or false', 'yes: true'],
    ['hooks: {after-prun: x}\n', ['prune', '--keep', '1', '--dry-run'], 'ckpt.yaml:1:8: hooks is a list', 'hooks: [{'],
    ['hooks: [{kye: a, load: b}]\n', ['prune', '--keep', '1', '--dry-run'], 'ckpt.yaml:1:10: "kye"', 'key?'],
  ])('is told with its place and the next step: %j', async (text, [command = '', ...flags], message, hint) => {
    const { run } = withSettings(text)
    const { status, stderr } = await ckpt([command, run, ...flags])
    expect(stderr).toContain(message)
    expect(stderr).toContain(hint)
    expect(status).toBe(2)
  })

  it('is no mistake of the file where the column was typed', async () => {
    const { run } = withSettings('list: {columns: name}\n')
    const { status, stderr } = await ckpt(['list', run, '--columns', 'nosuch'])
    expect([status, stderr]).toEqual([2, expect.not.stringContaining('ckpt.yaml')])
  })
})
