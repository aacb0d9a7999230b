import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { ckpt, isOneFile, copyFixture, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun, nameOf, names, parse, type Failed } from './runs.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const shapes = (which: string) => join(project, `test/fixtures/transfer/001/${which}.safetensors`)
let run = ''

beforeAll(() => {
  run = makeRun(epochs(5))
})

describe('arguments', () => {
  it('a repeatable flag takes one value and leaves the run alone', async () => {
    expect(await names(['find', '--min', 'WER', run])).toEqual([nameOf(5)])
    expect(await names(['find', '--where', 'epoch < 4', '--where', 'epoch > 1', '--max', 'loss', run])).toEqual([
      nameOf(2),
    ])
    expect(await names(['list', '--by', 'WER', run, '--limit', '1'])).toEqual([nameOf(1)])
    const plan = await ckpt(['prune', '--min', 'WER', '--max', 'loss', '--keep-where', 'epoch == 2', run, '--dry-run'])
    expect(plan.status).toBe(0)
    expect(plan.stdout).toContain('to remove: 3 checkpoints')
  })

  it.each([[['--by', '-WER']], [['--by=-WER']], [['--by', '-WER / epoch']], [['--by', '- WER']], [['--by', '-(WER)']]])(
    'an expression may begin with a minus: %j',
    async (by) => {
      expect(await names(['find', run, ...by])).toEqual([nameOf(5)])
      expect(await names(['find', ...by, run])).toEqual([nameOf(5)])
    },
  )

  it.each([[['--sort', '-WER']], [['--sort=-WER']]])('a column to sort by may begin with a minus: %j', async (sort) => {
    expect(await names(['list', run, ...sort, '--limit', '2'])).toEqual([nameOf(1), nameOf(2)])
  })

  it.each([[['--where', '-epoch < -4']], [['--where=-epoch < -4']]])('so may a filter: %j', async (where) => {
    expect(await names(['find', run, ...where])).toEqual([nameOf(5)])
  })

  it('one that is missing is reported without advice on flags that take several values', async () => {
    const { status, stderr } = await ckpt(['diff', 'a'])
    expect(status).toBe(2)
    expect(stderr).toBe(
      'error: B is missing: the file, checkpoint or run to compare it with\nhint: usage: ckpt diff A B [FLAGS]; ckpt diff --help says more\n',
    )
  })

  it.each([
    [['list', '--jsn'], 'there is no flag --jsn', 'did you mean --json? all of them: ckpt list --help'],
    [['list', '--json=1'], '--json takes no value, and 1 was given', '--json alone switches it on'],
    [['list', '-all'], 'there is no flag -all', 'did you mean --all? all of them: ckpt list --help'],
    [['list', '--zzzz'], 'there is no flag --zzzz', 'what it takes: ckpt list --help'],
    [
      ['convert', 'x', '--to', 'safetensor'],
      '--to takes safetensors or torch, not safetensor',
      'did you mean safetensors?',
    ],
    [['prune', '--keep', 'two'], '--keep takes a whole number, not two', 'what it takes: ckpt prune --help'],
    [['find', '--num', '0'], '--num takes a whole number from 1 up, not 0', 'what it takes: ckpt find --help'],
    [['find', '--min'], '--min needs a value', 'what it takes: ckpt find --help'],
    [['find', '--verify'], '--verify needs a value: none, quick or deep', 'what it takes: ckpt find --help'],
    [['list', '.', 'b', 'c'], 'unexpected arguments: b, c', 'usage: ckpt list [RUN] [FLAGS]'],
    [['transfer'], 'SOURCE is missing: values are taken', 'usage: ckpt transfer SOURCE TARGET [FLAGS]'],
    [['trash', 'restore'], 'CHECKPOINT is missing: ', 'usage: ckpt trash restore CHECKPOINT... [FLAGS]'],
    [['average'], 'RUN|FILE... is missing: ', 'usage: ckpt average RUN|FILE... [FLAGS]'],
    [['export', 'x'], '--into is missing', 'usage: ckpt export RUN [WHICH] --into DIR [FLAGS]'],
    [['export', 'x', '--in', 'y'], 'there is no flag --in', 'did you mean --into or --include?'],
    [['completion', 'tcsh'], 'tcsh is not bash, zsh or fish', 'what it takes: ckpt completion --help'],
    [['average', '.'], '. is a folder: say how many checkpoints of its run', '--last 5 for the newest'],
    [['average', '.', '--num', '2'], '--num N takes the best, so it needs --min', 'for the newest use --last N'],
    [['save', 'x', '--file', 'model'], '--file takes KEY=PATH, not "model"', '--file model=out/model.pt'],
    [['pin', 'latest', '--until', 'tomorrow'], '--until takes a date or a duration', '--until 2027-03-01, or'],
    [['run', '.', '--patience', '3', '--', 'true'], '--patience needs --stop-min or --stop-max too', '--stop-min'],
    [['recover', '.', '--'], 'there is no command after --', 'ckpt recover RUN -- python train.py'],
    [['list', '--all', '--limit', '1'], '--all and --limit do not go together', 'what it takes: ckpt list --help'],
  ])('%j is reported in plain words, with what to do next', async (argv, message, hint) => {
    const { status, stderr } = await ckpt(argv)
    expect(status).toBe(2)
    const [first, second] = stderr.split('\n')
    expect(first).toContain(`error: ${message}`)
    expect(second).toContain(`hint: ${hint}`)
    expect(stderr).not.toMatch(/arg\b|args\b|Expected|Nonexistent|Parsing/)
  })

  it.each([
    [['list', 'exq'], 'exp'],
    [['find', 'exq/save'], 'exp/save'],
    [['prune', 'exp/sav', '--keep', '1'], 'exp/save'],
    [['plot', 'exq', 'WER'], 'exp'],
    [['report', 'exq'], 'exp'],
  ])('%j names the folder that was meant', async (argv, meant) => {
    const cwd = temporaryDirectory()
    cpSync(run, join(cwd, 'exp', 'save'), { recursive: true })
    const { status, stderr } = await ckpt(argv, { cwd })
    expect([status, stderr]).toEqual([3, expect.stringMatching(`no such folder\nhint: did you mean /.*/${meant}\\?`)])
  })

  it('a word for a checkpoint that was mistyped is reported with the right one', async () => {
    const { status, stderr } = await ckpt(['show', `${run}/latst`])
    expect([status, stderr]).toEqual([3, expect.stringContaining(`did you mean ${run}/latest?`)])
  })

  it.each([
    [['--where', 'WER < 0'], 'none of the 5 checkpoints matches WER < 0'],
    [['--min', 'nope'], 'no checkpoint has "nope"'],
  ])('recover %j says plainly that nothing matches', async (query, message) => {
    const { status, stderr } = await ckpt(['recover', run, ...query])
    expect([status, stderr]).toEqual([3, expect.stringContaining(message)])
  })

  it('of a run with one checkpoint they are in the singular', async () => {
    const lone = makeRun(epochs(1))
    const { stderr } = await ckpt(['recover', lone, '--where', 'WER < 0'])
    expect(stderr).toContain('the only checkpoint does not match WER < 0')
    expect((await ckpt(['list', lone, '--min', 'nope'])).stderr).toContain(
      'the only checkpoint has no value for "nope"',
    )
  })

  it('two rankings where one decides are named', async () => {
    const { status, stderr } = await ckpt(['list', run, '--min', 'WER', '--max', 'ACC'])
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('--min WER and --max ACC: only one ranking can decide'),
    ])
  })

  it('an expression in a flag is shown with the place of the mistake', async () => {
    const { status, stderr } = await ckpt(['watch', run, '--until', 'epoch >'])
    expect([status, stderr]).toEqual([2, expect.stringMatching(/\n {2}epoch >\n {9}\^/)])
  })

  it.each([
    ['list', 'for all of them: ckpt list -r /'],
    ['verify', 'for all of them: ckpt verify -r /'],
    ['show', 'see how they did: ckpt runs /'],
    ['recover', 'where they are folders of one job, each start of which made a new one: ckpt recover -r /'],
  ])('%s of several runs names what it can do with all of them', async (command, hint) => {
    const { status, stderr } = await ckpt([command, join(project, 'test/fixtures/runs')])
    expect(status).toBe(5)
    expect(stderr).toContain(hint)
  })

  it.each([['find', '-r'], ['list', '-r'], ['runs']])(
    '%s %s that matches nothing names a command that can be typed',
    async (...argv) => {
      const root = join(temporaryDirectory(), 'two runs')
      for (const name of ['a', 'b']) cpSync(run, join(root, name), { recursive: true })
      const { status, stderr } = await ckpt([...argv, root, '--where', 'epoch > 99'])
      expect([status, stderr]).toEqual([3, expect.stringContaining(`ckpt list -r '${root}'`)])
      expect((await ckpt(['list', '-r', root])).status).toBe(0)
    },
  )

  it.each([
    ['layouts', 'explan', 'x'],
    ['layouts', 'explan'],
  ])('%s %s is a command that was mistyped', async (...argv) => {
    const { status, stderr } = await ckpt(argv, { cwd: temporaryDirectory() })
    expect([status, stderr]).toEqual([
      127,
      'error: layouts explan is not a ckpt command\nhint: did you mean ckpt layouts explain?\n',
    ])
  })

  it('layouts refuses a folder that is not there', async () => {
    const { status, stderr } = await ckpt(['layouts', join(temporaryDirectory(), 'absent')])
    expect([status, stderr]).toEqual([3, expect.stringContaining('absent: no such folder')])
  })

  it.each([
    ['runs'],
    ['du'],
    ['list', '-r'],
    ['find', '-r'],
    ['prune', '-r', '--keep', '1'],
    ['report', '-r', '-o', 'x.html'],
  ])('%s of a folder without a run says what a run is', async (...argv) => {
    const { status, stderr } = await ckpt([...argv, temporaryDirectory()])
    expect(status).toBe(3)
    expect(stderr).toContain('hint: a run is the folder that checkpoints are saved into')
  })

  it('a plan that is not there is reported with what a plan is', async () => {
    const { status, stderr } = await ckpt(['pretrain', 'none.yaml'])
    expect(status).toBe(3)
    expect(stderr).toContain('hint: name a plan: a file in YAML')
  })

  it('what follows -- on recover is never read as a flag of ckpt', async () => {
    const got = await ckpt(['recover', run, '--', 'echo', '--json', '--help', '--by', '-x', '-h', '--', '{name}'])
    expect(got).toMatchObject({ status: 0, stdout: `--json --help --by -x -h -- ${nameOf(5)}\n` })
  })

  it.each([['find'], ['list'], ['show'], ['prune'], ['recover']])(
    '%s never reads a missing argument from standard input',
    async (command) => {
      const elsewhere = temporaryDirectory()
      const got = await ckpt([command], { cwd: elsewhere, input: `${run}\n` })
      expect(got.status).toBe(3)
      expect(got.stderr).toContain(elsewhere)
    },
  )

  it('transfer does not either', async () => {
    const got = await ckpt(['transfer'], { input: 'a.safetensors\n' })
    expect(got.status).toBe(2)
    expect(got.stderr).toMatch(/SOURCE/)
  })

  it('the run is the folder one stands in when it is left out', async () => {
    expect(await names(['find', '--min', 'WER'], { cwd: run })).toEqual([nameOf(5)])
    expect(await names(['find', 'latest'], { cwd: run })).toEqual([nameOf(5)])
    expect((await ckpt(['recover'], { cwd: run })).stdout).toBe(`${join(run, nameOf(5))}\n`)
  })

  it.each([
    ['list', ''],
    ['find', 'best', ''],
    ['prune', '--keep', '1', '--yes', ''],
    ['rm', '--yes', 'latest', ''],
    ['layouts', 'explain', ''],
    ['du', ''],
    ['run', '', '--', 'echo', 'started'],
  ])('one that is empty, as of a variable that is not set, is not the working folder: %s %s', async (...args) => {
    const { status, stdout, stderr } = await ckpt(args, { cwd: run })
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^error: [A-Z]+ is empty\n/)
    expect(await names(['list', run])).toHaveLength(5)
  })

  it('what a command of the user is given may be empty', async () => {
    expect((await ckpt(['run', run, '--', 'test', '-z', ''])).status).toBe(0)
  })

  it('a folder above one run stands for it', async () => {
    expect(await names(['find'], { cwd: join(run, '../..') })).toEqual([nameOf(5)])
  })
})

describe('exit statuses are the same with --json and without', () => {
  const damaged = () => copyFixture('runs/asr_run_damaged')
  const cases: [what: string, status: number, code: string, args: () => string[]][] = [
    ['an unknown flag', 2, 'usage', () => ['list', run, '--bogus']],
    ['a number that is none', 2, 'usage', () => ['list', run, '--limit', 'ten']],
    ['too many arguments', 2, 'usage', () => ['list', run, run]],
    ['flags that exclude each other', 2, 'usage', () => ['list', run, '--all', '--limit', '1']],
    ['a level that there is not', 2, 'usage', () => ['find', run, '--verify', 'thorough']],
    ['a malformed expression', 2, 'bad-expression', () => ['find', run, '--where', 'loss <']],
    ['two orders for one answer', 2, 'usage', () => ['find', run, '--min', 'WER', '--max', 'ACC']],
    ['an impossible policy', 2, 'usage', () => ['prune', run, '--keep', '-1']],
    ['the same written with =', 2, 'usage', () => ['prune', run, '--keep=-1']],
    ['several runs where one is meant', 5, 'refused', () => ['list', join(project, 'test/fixtures/runs')]],
    ['no such folder', 3, 'not-found', () => ['list', join(run, 'nowhere')]],
    ['a checkpoint where a run is meant', 3, 'not-found', () => ['list', join(run, nameOf(1))]],
    ['no such checkpoint', 3, 'not-found', () => ['show', join(run, 'CKPT+none')]],
    ['nothing that matches', 3, 'no-match', () => ['find', run, '--where', 'epoch > 99']],
    ['no run to recover', 3, 'not-found', () => ['recover', temporaryDirectory()]],
    ['a filter that leaves nothing to recover', 3, 'no-match', () => ['recover', run, '--where', 'epoch > 99']],
    ['nothing whole', 4, 'damaged', () => ['recover', damaged(), '--where', 'epoch > 7']],
    [
      'nothing whole among the best',
      4,
      'damaged',
      () => ['find', damaged(), '--where', 'epoch > 7', '--verify', 'quick'],
    ],
    ['no policy', 5, 'refused', () => ['prune', run]],
    ['no terminal to ask on', 5, 'refused', () => ['prune', run, '--keep', '1']],
    ['a plan that leaves nothing', 5, 'refused', () => ['prune', run, '--keep', '0', '--no-protect', '--yes']],
    ['a name that is taken', 5, 'refused', () => ['recover', run, '--into', run]],
    ['shapes that differ', 5, 'refused', () => ['transfer', shapes('source'), shapes('target')]],
  ]

  it.each(cases)('%s: %i', async (_, status, code, args) => {
    const argv = args()
    const [plain, json] = await Promise.all([ckpt(argv), ckpt([...argv, '--json'])])
    expect(plain.status).toBe(status)
    expect(json.status).toBe(status)
    expect(plain.stderr).toMatch(/^error: /m)
    expect(plain.stderr).not.toMatch(/ {4}at |node:internal/)
    const { error } = parse<Failed>(json)
    expect(error.code).toBe(code)
    expect(error.message).not.toBe('')
    expect(plain.stderr).toContain(error.message.split('\n')[0])
  })
})

describe('help', () => {
  it('ckpt alone and --help list the commands', async () => {
    const [alone, help] = await Promise.all([ckpt([], { cwd: temporaryDirectory() }), ckpt(['--help'])])
    for (const { status, stdout, stderr } of [alone, help]) {
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      for (const command of ['list', 'show', 'find', 'prune', 'recover', 'transfer']) expect(stdout).toContain(command)
    }
  })

  it.each([['list'], ['show'], ['find'], ['prune'], ['recover'], ['transfer']])(
    'of %s is the same by all three ways, and has usage and examples',
    async (command) => {
      const ways = [
        ['help', command],
        [command, '--help'],
        [command, '-h'],
      ]
      const [first, ...others] = await Promise.all(ways.map((way) => ckpt(way)))
      expect(first?.status).toBe(0)
      expect(first?.stdout).toContain(`$ ckpt ${command}`)
      expect(first?.stdout).toContain('EXAMPLES')
      for (const other of others) expect(other).toEqual(first)
    },
  )

  it('--version names ckpt and its version', async () => {
    const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string }
    expect((await ckpt(['--version'])).stdout).toMatch(`ckpt/${version} `)
  })

  it.each([
    ['one slip away', ['lst', run], 'lst is not a ckpt command', 'did you mean ckpt list?'],
    ['a swap', ['prnue'], 'prnue is not a ckpt command', 'did you mean ckpt prune?'],
    ['two slips away', ['vrfy'], 'vrfy is not a ckpt command', 'did you mean ckpt verify?'],
    ['of a topic', ['trash', 'lst'], 'trash lst is not a ckpt command', 'did you mean ckpt trash list?'],
    ['asked help for', ['help', 'lst'], 'lst is not a ckpt command', 'did you mean ckpt list?'],
    ['with --help', ['lst', '--help'], 'lst is not a ckpt command', 'did you mean ckpt list?'],
    ['what restic says', ['forget', run], 'forget is not a ckpt command', 'did you mean ckpt prune?'],
    ['no name of another kind', ['delete', run], 'delete is not a ckpt command', 'did you mean ckpt rm or ckpt prune?'],
    ['of a topic, as in a shell', ['trash', 'ls'], 'trash ls is not a ckpt command', 'did you mean ckpt trash list?'],
    ['a letter', ['-v'], 'no command stands before -v', 'did you mean ckpt --version?'],
    ['a flag alone', ['--hepl'], 'no command stands before --hepl', 'did you mean ckpt --help?'],
    ['a slip of what is called otherwise', ['vesion'], 'vesion is not a ckpt command', 'did you mean ckpt --version?'],
    [
      'help for a slip below a topic',
      ['help', 'trash', 'lst'],
      'trash lst is not a ckpt command',
      'did you mean ckpt trash list?',
    ],
    ['far from all', ['frobnicate'], 'frobnicate is not a ckpt command', 'ckpt --help shows what there is'],
    ['a word of objects', ['constructor'], 'constructor is not a ckpt command', 'ckpt --help shows what there is'],
    ['a long one', ['x'.repeat(999)], `${'x'.repeat(60)}… is not a ckpt command`, 'ckpt --help shows what there is'],
    [
      'with escape codes',
      ['\u001b[2Jx\u009b'],
      '\\e[2Jx\\x9b is not a ckpt command',
      'ckpt --help shows what there is',
    ],
  ])(
    'an unknown command is reported, with the nearest names, and exits with 127: %s',
    async (_, args, message, hint) => {
      expect(await ckpt(args)).toEqual({ status: 127, stdout: '', stderr: `error: ${message}\nhint: ${hint}\n` })
    },
  )

  it('and with --json as a document', async () => {
    const got = await ckpt(['lst', '--json'])
    expect(got.status).toBe(127)
    expect(parse<Failed>(got).error).toMatchObject({ code: 'unknown-command', hint: 'did you mean ckpt list?' })
  })

  it.each([
    [['list', '--jsno'], 'did you mean --json?'],
    [['prune', '--dry-rn'], 'did you mean --dry-run?'],
    [['prune', '--keep-last', '2'], 'did you mean --keep?'],
    [['prune', '-f'], 'did you mean --yes?'],
    [['prune', 'exp', '2'], 'did you mean --keep 2?'],
    [['prune', 'exp', '4w'], 'did you mean --older-than 4w?'],
    [['gc', 'exp', '30d'], 'did you mean --older-than 30d?'],
    [['trash', 'empty', 'exp', '1h30m'], 'did you mean --older-than 1h30m?'],
    [['list', '-n', '3'], 'did you mean --limit?'],
    [['find', '-n', '3'], 'did you mean --num?'],
    [['find', '--best', 'exp'], 'did you mean ckpt find best?'],
    [['find', 'exp', '--last', '3'], 'did you mean --num?'],
    [['list', 'exp', '--last', '3'], 'did you mean --limit?'],
    [['list', '--best'], 'did you mean --min or --max?'],
    [['find', '--metric', 'WER'], 'did you mean --min or --max?'],
    [['verify', '--depth', 'deep'], 'did you mean --deep?'],
    [['export', 'exp', '--out', 'x'], 'did you mean --into?'],
    [['show', 'exp', 'latest'], 'latest stands behind its run: RUN/latest'],
    [['run', 'exp', 'python', 'train.py'], 'a command stands behind --: ckpt run RUN -- python train.py'],
    [['find', '--verify', 'dep'], 'did you mean deep?'],
    [['verify', '--quick', 'exp'], 'what it takes: ckpt verify --help'],
    [['verify', '--verify', 'deep'], 'did you mean --deep?'],
    [['find', '--deep', 'exp'], 'did you mean --verify deep?'],
    [['recover', 'exp', '--hard'], 'did you mean --link hard?'],
    [['stop', '--after-next'], 'did you mean --after-next-checkpoint?'],
    [['save', 'exp', 'model.pt'], 'its files are named by --file: ckpt save RUN --file KEY=model.pt'],
    [['convert', 'x', '--to', 'toch'], 'did you mean torch?'],
    [['run', 'exp', '--wat', 'x', '--', 'true'], 'did you mean --wait or --watch?'],
    [['stop', '--after-nxt'], 'did you mean --after-next-checkpoint?'],
    [['find', '--lastest'], 'did you mean ckpt find latest?'],
    [['find', 'bst', 'exp'], 'did you mean ckpt find best exp?'],
    [['find', 'exp', 'lates'], 'did you mean ckpt find latest exp?'],
    [['show', 'exp', 'bst'], 'did you mean RUN/best?'],
    [['prune', 'exp', 'keep', '2'], 'did you mean --keep 2?'],
    [['prune', '-k', '2', 'exp'], 'did you mean --keep?'],
    [['submit', temporaryDirectory(), 'train.sh'], 'the script comes first, then the run'],
    [['recover', 'latest', '--', 'true'], 'name the run: ckpt recover RUN -- COMMAND; the newest is taken anyway'],
    [['run', 'best', '--', 'true'], 'name the run: ckpt run RUN -- COMMAND; of its checkpoints --min KEY'],
  ])('a mistyped flag or value is reported with the nearest: %j', async (args, hint) => {
    const { status, stderr } = await ckpt(args)
    expect([status, stderr]).toEqual([2, expect.stringContaining(`hint: ${hint}`)])
  })
})

it('a job script that is not there is told with the order of the arguments', async () => {
  const { status, stderr } = await ckpt(['submit', '/nosuch.sh'])
  expect([status, stderr]).toEqual([
    3,
    'error: /nosuch.sh: no such job script\nhint: the script comes first, then the run: ckpt submit train.sh exp/save\n',
  ])
})

describe.skipIf(isOneFile)('the build', () => {
  it('finds out that oclif.manifest.json is stale, and writes the true one', () => {
    const copy = mkdtempSync(join(temporaryDirectory(), 'project-'))
    const parts = [
      'src',
      'bin',
      'scripts',
      'bench',
      'dist',
      'test/fixtures/runs/nutshell',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'tsconfig.build.json',
    ]
    for (const name of parts) {
      cpSync(join(project, name), join(copy, name), { recursive: true })
    }
    symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'))
    const committed = readFileSync(join(project, 'oclif.manifest.json'), 'utf8')
    const path = join(copy, 'oclif.manifest.json')
    writeFileSync(path, committed.replace('"prune"', '"trim"'))
    const check = () =>
      spawnSync(process.execPath, [join(copy, 'scripts', 'build.mjs'), '--check'], { encoding: 'utf8', cwd: copy })
    const stale = check()
    expect(stale.stderr).toContain('oclif.manifest.json was stale')
    expect(stale.status).toBe(1)
    expect(readFileSync(path, 'utf8')).toBe(committed)
    rmSync(copy, { recursive: true })
  }, 120_000)
})
