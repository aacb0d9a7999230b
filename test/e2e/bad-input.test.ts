import { chmodSync, closeSync, existsSync, openSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { spawn, spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { choose, examine, openRun, planPrune } from '../../src/core/runs/index.js'
import { localStorage } from '../../src/core/storage/local.js'
import type { Storage } from '../../src/core/storage/storage.js'
import { shellWord } from '../../src/core/formats/text/shell-words.js'
import { ckpt, commandFolder, isOneFile, program, shell, temporaryDirectory, plainEnvironment } from './ckpt.js'
import { document, epochs, makeRun, nameOf, names } from './runs.js'

/** No stack trace, and no word of a bug. */
const clean = (stderr: string) => expect(stderr).not.toMatch(/^ {4}at |node:internal|this is a bug/m)

describe('what is not a run', () => {
  const commands = ['list', 'find', 'show', 'prune', 'recover']

  it.each(commands)('%s: an empty folder, a folder of other things, a file', async (command) => {
    const folder = temporaryDirectory()
    const more = command === 'prune' ? ['--keep', '1'] : []
    expect((await ckpt([command, folder, ...more])).status).toBe(3)
    writeFileSync(join(folder, 'CKPT.yaml'), 'unixtime: 1\n')
    writeFileSync(join(folder, 'model.ckpt'), 'x')
    const got = await ckpt([command, folder, ...more])
    expect(got).toMatchObject({ status: 3, stdout: '' })
    expect(got.stderr).toContain(folder)
    clean(got.stderr)
    const file = await ckpt([command, join(folder, 'CKPT.yaml'), ...more])
    expect(file.status).toBeGreaterThan(2)
    clean(file.stderr)
  })

  it.each(commands)('%s: a link that dangles, and a path below one', async (command) => {
    const folder = temporaryDirectory()
    symlinkSync(join(folder, 'unmounted'), join(folder, 'link'))
    const more = command === 'prune' ? ['--keep', '1'] : []
    for (const path of [join(folder, 'link'), join(folder, 'link', 'save')]) {
      const got = await ckpt([command, path, ...more])
      expect(got.status).toBe(3)
      clean(got.stderr)
    }
  })

  it('a link to a run is that run', async () => {
    const run = makeRun(epochs(2))
    const link = join(temporaryDirectory(), 'link')
    symlinkSync(run, link)
    expect(await names(['find', link])).toEqual([nameOf(2)])
  })

  it.runIf(process.getuid?.() !== 0)('a folder that may not be read is exit 1, and starts nothing', async () => {
    const run = makeRun(epochs(2))
    chmodSync(run, 0)
    const got = await ckpt(['recover', run, '--', 'echo', 'started'])
    chmodSync(run, 0o755)
    expect(got).toMatchObject({ status: 1, stdout: '' })
    expect(got.stderr).toContain('permission denied')
    clean(got.stderr)
  })
})

// The one-file executable's runtime tells it by itself, and starts nothing (docs/design.md §2).
describe.skipIf(isOneFile)('a working folder that has been deleted', () => {
  const inside = (command: string) => {
    const gone = join(temporaryDirectory(), 'gone')
    return shell(`mkdir ${shellWord(gone)}; cd ${shellWord(gone)}; rmdir ${shellWord(gone)}; ${command}`)
  }

  it.each([
    'list',
    'find',
    'show',
    'prune --keep 1',
    'verify',
    'run x -- true',
    'recover -- true',
    'pin latest',
    'diff a b',
  ])('is reported: %s', async (command) => {
    const { status, stdout, stderr } = await inside(`ckpt ${command}`)
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^error: the folder that you stand in has been deleted\nhint: .*\n$/m)
    clean(stderr)
  })

  it.each(['list', 'find', 'show', 'verify', 'prune --keep 1 --yes', 'config', 'trash list'])(
    'keeps no command from an absolute run: %s',
    async (command) => {
      const got = await inside(`ckpt ${command} ${shellWord(makeRun(epochs(2)))}`)
      expect(got).toMatchObject({ status: 0 })
      clean(got.stderr)
    },
  )
})

describe('meta files', () => {
  const broken = {
    'CKPT+0-bytes': { 'CKPT.yaml': '', 'model.ckpt': 'x' },
    'CKPT+binary': { 'CKPT.yaml': Uint8Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256) },
    'CKPT+no-yaml': { 'CKPT.yaml': 'WER: 3\nloss: [1, 2\n' },
    'CKPT+list': { 'CKPT.yaml': '- 1\n- 2\n' },
    'CKPT+bomb': { 'CKPT.yaml': bomb() },
    'CKPT+deep': { 'CKPT.yaml': `a: ${'['.repeat(100_000)}\n` },
    'CKPT+code': { 'CKPT.yaml': '!!python/object/apply:os.system ["touch /tmp/ckpt-was-here"]\n' },
  }

  it('that are empty, binary, broken or hostile damage their checkpoint alone, and are told', async () => {
    const run = makeRun({ ...epochs(2), ...broken })
    const { checkpoints } = await document(['list', run])
    expect(checkpoints).toHaveLength(9)
    for (const { name, health } of checkpoints) {
      const mayBeWhole = name.startsWith('CKPT+ep')
      expect([name, health === 'unchecked']).toEqual([name, mayBeWhole])
    }
    const got = await ckpt(['list', run])
    expect(got.status).toBe(0)
    clean(got.stderr)
    expect(await names(['find', run, '--min', 'WER'])).toEqual([nameOf(2)])
    expect(existsSync('/tmp/ckpt-was-here')).toBe(false)
  })

  it('that are huge are not read: one of 8 TB damages its checkpoint alone, at once', async () => {
    const run = makeRun({ ...epochs(2), 'CKPT+huge': { 'CKPT.yaml': 'WER: 1\n' } })
    truncateSync(join(run, 'CKPT+huge', 'CKPT.yaml'), 2 ** 33)
    const began = Date.now()
    const { checkpoints } = await document(['list', run])
    expect(Date.now() - began).toBeLessThan(10_000)
    expect(checkpoints.find(({ name }) => name === 'CKPT+huge')?.health).toBe('corrupt')
    expect(await names(['find', run, '--min', 'WER'])).toEqual([nameOf(2)])
  })

  it('keys that are names of JavaScript are keys like others', async () => {
    const run = makeRun({ 'CKPT+a': '__proto__: 3\nconstructor: 2\ntoString: 1\nunixtime: 1.0\n' })
    expect(await names(['find', run, '--min', '__proto__', '--where', 'constructor == 2'])).toEqual(['CKPT+a'])
    const { stdout } = await ckpt(['list', run, '--columns', 'name,__proto__,toString'])
    expect(stdout.split('\n')[1]?.split(/ {2,}/)).toEqual(
      ['CKPT+a', '3', '1'].map((cell) => expect.stringContaining(cell) as string),
    )
    expect((await ckpt(['list', run, '--columns', 'hasOwnProperty'])).status).toBe(2)
  })
})

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
  for (let level = 1; level < 12; level++) {
    lines.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ')}]`)
  }
  return `${lines.join('\n')}\n`
}

describe('names with newlines, escape codes and other scripts', () => {
  const wild = 'CKPT+a\nb\u001b[31mred\u0007 検証 é\u202e'

  it('are shown escaped, are exact in JSON, and raw where a script reads them', async () => {
    const run = makeRun({ [wild]: 'WER: 1\nunixtime: 1.0\nhost: "a\\e[31m\\nb"\n' })
    const { stdout } = await ckpt(['list', run, '--columns', 'name,host'])
    expect(stdout).toContain('CKPT+a\\nb\\e[31mred\\x07 検証 é\\u202e')
    expect(stdout).not.toMatch(/\u001b|\u0007|\u202e/)
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    for (const args of [
      ['show', run],
      ['show', join(run, wild)],
      ['prune', run, '--keep', '1', '-n'],
    ]) {
      expect((await ckpt(args)).stdout).not.toMatch(/\u001b|\u0007|\u202e/)
    }
    expect(await names(['list', run])).toEqual([wild])
    expect((await ckpt(['find', run])).stdout).toBe(`${join(run, wild)}\n`)
    expect((await ckpt(['find', run, '-0', '--key', 'model'])).stdout).toBe(`${join(run, wild, 'model.ckpt')}\0`)
    const read = await shell(`ckpt find ${shellWord(run)} -0 --key model | xargs -0 cat`)
    expect(read.stdout).toBe(wild)
  })

  it('go to a command as they are', async () => {
    const run = makeRun({ [wild]: 'unixtime: 1.0\n' })
    const got = await ckpt(['recover', run, '--', 'printf', '%s', '{path}'])
    expect(got.stdout).toBe(join(run, wild))
    expect(got.stderr).not.toMatch(/\u001b|\u0007|\u202e/)
  })

  it('in errors are escaped too', async () => {
    const got = await ckpt(['list', join(temporaryDirectory(), 'a\u001b[31m\u0007b')])
    expect(got.status).toBe(3)
    expect(got.stderr).not.toMatch(/\u001b|\u0007/)
  })
})

describe('expressions', () => {
  it.each([
    ['loss <', '        ^'.slice(2)],
    ['loss < 3 and', ''],
    ['(loss < 3', ''],
    ['los? < 3', ''],
    ['loss << 3', ''],
    ['"unclosed', ''],
    ['', ''],
    ['nosuch(loss)', ''],
    ['loss ~ "("', ''],
  ])('%j is exit 2, with the place marked under the text', async (text) => {
    const run = makeRun(epochs(2))
    for (const flag of ['--where', '--by']) {
      const got = await ckpt(['find', run, flag, text])
      expect(got).toMatchObject({ status: 2, stdout: '' })
      const lines = got.stderr.trimEnd().split('\n')
      const marked = lines.findIndex((line) => /^ *\^+$/.test(line))
      expect(marked).toBeGreaterThan(0)
      expect(lines[marked - 1]).toContain(text)
      clean(got.stderr)
    }
  })

  it('marks the very place', async () => {
    const got = await ckpt(['find', makeRun(epochs(1)), '--where', 'epoch > 1 && loss ! 3'])
    const [text, mark] = got.stderr.split('\n').slice(1, 3)
    expect(mark?.indexOf('^')).toBe(text?.indexOf('!'))
  })

  it('a file that is not there is told with the one of a name like it', async () => {
    const folder = temporaryDirectory()
    writeFileSync(join(folder, 'model.pt'), 'weights')
    const { status, stderr } = await ckpt(['save', join(folder, 'run'), '--file', `model=${folder}/modle.pt`])
    expect([status, stderr]).toEqual([
      3,
      `error: ${folder}/modle.pt: no such file or directory\nhint: did you mean ${folder}/model.pt?\n`,
    ])
  })

  it('an unknown key is a warning with the nearest name, and nothing is found', async () => {
    const run = makeRun(epochs(2))
    for (const args of [
      ['--min', 'WERR'],
      ['--where', 'WERR < 3'],
      ['--by', '-WERR'],
    ]) {
      const got = await ckpt(['find', run, ...args])
      expect(got).toMatchObject({ status: 3, stdout: '' })
      expect(got.stderr).toMatch(/warning: no checkpoint has "WERR"; did you mean "WER"\?/)
      expect((await ckpt(['recover', run, ...args])).status).toBe(3)
    }
  })

  it('a regular expression cannot run away', async () => {
    const run = makeRun({ [`CKPT+${'a'.repeat(200)}`]: 'unixtime: 1.0\n' })
    const began = Date.now()
    expect((await ckpt(['find', run, '--where', 'name ~ "^CKPT.(a+)+b$"'])).status).toBe(3)
    expect(Date.now() - began).toBeLessThan(10_000)
  })
})

describe('a run that vanishes while it is read', () => {
  /** Real directories; at the n-th reading call the checkpoint, or the run, is removed first. */
  function vanishing(path: string, at: number): { storage: Storage; calls: () => number } {
    const inner = localStorage()
    let calls = 0
    const before = <Args extends unknown[], Answer>(call: (...args: Args) => Promise<Answer>) => {
      return async (...args: Args): Promise<Answer> => {
        calls += 1
        if (calls === at) rmSync(path, { recursive: true, force: true })
        return call(...args)
      }
    }
    const reading = {
      list: before((paths: readonly string[]) => inner.list(paths)),
      stat: before((paths: readonly string[]) => inner.stat(paths)),
      lstat: before((paths: readonly string[]) => inner.lstat(paths)),
      read: before((paths: readonly string[], limit: number) => inner.read(paths, limit)),
      resolve: before((paths: readonly string[]) => inner.resolve(paths)),
      open: before((path: string) => inner.open(path)),
    }
    return { storage: { ...inner, ...reading }, calls: () => calls }
  }

  const context = { now: 1_800_000_000, wait: () => Promise.resolve(), utcOffset: () => 0 }
  const query = { orders: [], where: [] }

  const questions: Record<string, (storage: Storage, run: string) => Promise<unknown>> = {
    list: async (storage, path) => {
      const run = await openRun(storage, path)
      return examine(storage, run.checkpoints, run.checkpoints, 'quick')
    },
    recover: async (storage, path) =>
      choose(storage, await openRun(storage, path), { query, verify: 'deep', keys: [] }, context),
    prune: async (storage, path) => planPrune(storage, await openRun(storage, path), { query, keep: 1 }, context),
  }

  it.each(Object.entries(questions))(
    '%s answers, or fails with an error of ours, wherever it vanishes',
    async (_, ask) => {
      for (const which of ['a checkpoint', 'the run']) {
        for (let at = 1, more = true; more; at += 1) {
          const run = makeRun(epochs(3))
          const { storage, calls } = vanishing(which === 'the run' ? run : join(run, nameOf(2)), at)
          await ask(storage, run).catch((error: unknown) => expect(error).toHaveProperty('exitStatus'))
          more = calls() >= at
        }
      }
    },
  )
})

describe('output', () => {
  const full = existsSync('/dev/full')

  it.runIf(full)('on a full disk is exit 1 with one line, for text, JSON, paths and help', async () => {
    const run = makeRun(epochs(3))
    const commands = [
      ['list', run],
      ['list', run, '--json'],
      ['find', run],
      ['find', run, '-0'],
      ['recover', run],
      ['show', run],
      ['--help'],
      ['list', '--help'],
      ['prune', run, '--keep', '1', '-n'],
    ]
    for (const args of commands) {
      const fd = openSync('/dev/full', 'w')
      const { status, stderr } = spawnSync(process.execPath, [program, ...args], {
        env: plainEnvironment(),
        stdio: ['ignore', fd, 'pipe'],
        encoding: 'utf8',
      })
      closeSync(fd)
      expect([args[0], status]).toEqual([args[0], 1])
      expect(stderr).toMatch(/^error: the output could not be written: ENOSPC.*\n$/)
    }
  })

  it('to a reader that goes away ends in silence, with status 0', async () => {
    // Each says more than a pipe holds: 64 KiB.
    const run = makeRun(epochs(4000), join(temporaryDirectory(), 'save'))
    for (const args of ['list --columns name,WER', 'list --json', 'find --num 4000']) {
      const got = await shell(`ckpt ${args} | head -1 >/dev/null; echo "\${PIPESTATUS[0]}"`, { cwd: run })
      expect(got).toEqual({ status: 0, stdout: '0\n', stderr: '' })
    }
    rmSync(dirname(run), { recursive: true })
  }, 120_000)

  it('through a pipe that another process has set not to block comes whole', async () => {
    const cwd = temporaryDirectory()
    const entries = Array.from({ length: 10_000 }, (_, i) => [
      `${i}`,
      { dtype: 'F32', shape: [0], data_offsets: [0, 0] },
    ])
    const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
    const length = Buffer.alloc(8)
    length.writeUInt32LE(header.length)
    writeFileSync(join(cwd, 'many.safetensors'), Buffer.concat([length, header]))
    // Node sets what it reads from so, and a socket is one thing whichever way it is used.
    const sharer = `process.stdin.resume(); require('fs').writeFileSync('ready', ''); setTimeout(() => {}, 60_000)`
    const script = `${shellWord(process.execPath)} -e "${sharer}" <&1 & until [ -e ready ]; do sleep 0.1; done; ckpt tensors --json many.safetensors; kill $!`
    const child = spawn('bash', ['--norc', '-c', script], {
      cwd,
      env: { ...plainEnvironment(), PATH: `${commandFolder()}:${process.env['PATH'] ?? ''}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    // The reader is late: by then the pipe is full.
    await new Promise((resolve) => setTimeout(resolve, 3000))
    let text = ''
    for await (const part of child.stdout) text += String(part)
    expect((JSON.parse(text) as { tensors: unknown[] }).tensors).toHaveLength(10_000)
  })

  it('to a closed stdout or stderr is not a crash', async () => {
    const run = makeRun(epochs(3))
    const got = await shell(
      `ckpt list ${shellWord(run)} >&-; echo $?; ckpt list ${shellWord(run)} --where 'los > 1' 2>&- | wc -l; ckpt find ${shellWord(run)} <&-`,
    )
    expect(got.stderr).toBe('')
    expect(got.stdout).toBe(`0\n0\n${join(run, nameOf(3))}\n`)
  })
})
