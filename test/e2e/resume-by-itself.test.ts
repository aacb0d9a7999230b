/** Jobs whose framework resumes by itself, and those that were cut off amid their first save. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { notesReads } from '../notes-reads.js'
import { ckpt, shell, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun, nameOf, parse } from './runs.js'

/** As SpeechBrain: loads the folder of the largest unixtime, and fails where a file of it is missing. */
const speechBrain = `
  newest=$(grep -H unixtime: "$RUN"/*/CKPT.yaml | sort -t: -k3 -n | tail -n 1)
  [ -n "$newest" ] || { echo from scratch; exit 0; }
  [ -s "$(dirname "\${newest%%:*}")/model.ckpt" ] || exit 7
  echo "from $(basename "$(dirname "\${newest%%:*}")")"`

const torn = { 'CKPT.yaml': `unixtime: ${1_700_000_000 + 9 * 3600}.0\n`, 'model.ckpt': '' }

function start(run: string, flags = '', script = speechBrain) {
  return shell(`ckpt recover "$RUN" ${flags} -- bash -c "$script"`, { env: { RUN: run, script }, cwd: dirname(run) })
}

async function trashOf(run: string): Promise<string[]> {
  const { trash } = parse<{ trash: { name: string }[] }>(await ckpt(['trash', 'list', run, '--json']))
  return trash.map(({ name }) => name)
}

describe('a damaged checkpoint that the framework would take', () => {
  it('is moved to the trash before the start, which is reported with how to undo it', async () => {
    const run = makeRun({ ...epochs(2), [nameOf(9)]: torn })
    const got = await start(run)
    expect(got).toMatchObject({ status: 0, stdout: `from ${nameOf(2)}\n` })
    expect(got.stderr).toMatch(/moved to the trash: CKPT\+ep009: recover_if_possible\(\) takes it; .*0 bytes/)
    expect(got.stderr).toContain(`ckpt trash restore ${join(run, nameOf(9))}`)
    expect(await trashOf(run)).toEqual([nameOf(9)])
    expect((await ckpt(['trash', 'restore', join(run, nameOf(9))])).status).toBe(0)
    expect(readdirSync(run)).toContain(nameOf(9))
  })

  it('goes too where it is old and its meta is what SpeechBrain cannot get past', async () => {
    const run = makeRun({ ...epochs(2), 'CKPT+old': { 'CKPT.yaml': 'a: [', 'model.ckpt': 'x' } })
    expect((await start(run)).stderr).toMatch(/CKPT\+old: recover_if_possible\(\) cannot get past it/)
    expect(readdirSync(run)).toEqual([nameOf(1), nameOf(2)])
  })

  it('stays, and stops the start, where it is pinned', async () => {
    const run = makeRun({ ...epochs(2), [nameOf(9)]: torn })
    await ckpt(['pin', join(run, nameOf(9))])
    const got = await start(run)
    expect(got).toMatchObject({ status: 5, stdout: '' })
    expect(got.stderr).toMatch(/ep009 is pinned and stands in the way[^]*ckpt unpin/)
    expect(readdirSync(run)).toHaveLength(3)
  })

  it('stays with --leave-damaged, and is told', async () => {
    const run = makeRun({ ...epochs(2), [nameOf(9)]: torn })
    const got = await start(run, '--leave-damaged')
    expect(got.status).toBe(7)
    expect(got.stderr).toMatch(/ep009 is in the way and stays, for --leave-damaged says so.*--remove-damaged/)
    expect(readdirSync(run)).toHaveLength(3)
  })

  it('stays where it is older than the chosen one, or where no command is started', async () => {
    const run = makeRun({ ...epochs(2), [nameOf(1)]: { 'CKPT.yaml': 'unixtime: 1.0\n', 'model.ckpt': '' } })
    expect((await start(run)).status).toBe(0)
    const other = makeRun({ ...epochs(2), [nameOf(9)]: torn })
    await ckpt(['recover', other])
    expect([readdirSync(run).length, readdirSync(other).length]).toEqual([2, 3])
  })

  it('is no other one that is whole: that stays, and is told', async () => {
    const run = makeRun(epochs(3))
    const got = await start(run, '--where "epoch < 3"')
    expect(got.stdout).toBe(`from ${nameOf(3)}\n`)
    expect(got.stderr).toMatch(/ep003 is whole and stays, but recover_if_possible\(\) takes it before CKPT\+ep002/)
  })

  it('was cut before the second file, which the one before it shows', async () => {
    const files = (epoch: number) => ({
      'CKPT.yaml': `unixtime: ${1_700_000_000 + epoch}.0\n`,
      'model.ckpt': 'x',
      'counter.ckpt': String(epoch),
    })
    const run = makeRun({ [nameOf(1)]: files(1), [nameOf(2)]: { ...files(2), 'counter.ckpt': '' } })
    rmSync(join(run, nameOf(2), 'counter.ckpt'))
    const got = await start(run)
    expect(got.stdout).toBe(`from ${nameOf(1)}\n`)
    expect(got.stderr).toContain(`counter.ckpt: not there, and ${nameOf(1)}, which was saved before it, has it`)
  })
})

describe('the Trainer', () => {
  const model = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')])
  const checkpoint = (step: number, whole = true) => ({
    [`checkpoint-${step}/model.safetensors`]: model,
    ...(whole ? { [`checkpoint-${step}/trainer_state.json`]: JSON.stringify({ global_step: step, epoch: 1 }) } : {}),
  })

  function makeTrainerRun(files: Readonly<Record<string, string | Buffer>>, empty: readonly string[] = []): string {
    const run = join(temporaryDirectory(), 'out')
    for (const [name, bytes] of Object.entries(files)) {
      mkdirSync(dirname(join(run, name)), { recursive: true })
      writeFileSync(join(run, name), bytes)
    }
    for (const name of empty) mkdirSync(join(run, name), { recursive: true })
    return run
  }

  it('would take a folder that a save has only just made: it goes', async () => {
    const run = makeTrainerRun(checkpoint(5), ['checkpoint-10'])
    expect((await start(run, '', 'ls "$RUN"')).stdout).toBe('checkpoint-5\n')
  })

  it('that was cut off amid its first save begins anew, whoever started it', async () => {
    const run = makeTrainerRun(checkpoint(5, false))
    const got = await start(run, '', 'ls "$RUN"; echo "${CKPT_PATH-none}"')
    expect(got).toMatchObject({ status: 0, stdout: 'none\n' })
    expect(got.stderr).toMatch(/checkpoint-5: nothing here was ever finished[^]*a first start/)
  })

  it('whose folders all end at the same file was never killed in each: nothing is moved, and nothing begins anew', async () => {
    const optimizer = (step: number) => ({ [`checkpoint-${step}/optimizer.pt`]: 'x' })
    const run = makeTrainerRun({
      ...checkpoint(5, false),
      ...optimizer(5),
      ...checkpoint(10, false),
      ...optimizer(10),
    })
    expect(await start(run, '', 'echo started')).toMatchObject({ status: 4, stdout: '' })
    expect(readdirSync(run).sort()).toEqual(['checkpoint-10', 'checkpoint-5'])
    const two = makeTrainerRun({ ...checkpoint(5, false), ...optimizer(5), ...checkpoint(10, false) })
    expect((await start(two, '', 'ls "$RUN"')).stdout).toBe('')
  })

  const byHand = (step: number) => ({ ...checkpoint(step, false), [`checkpoint-${step}/config.json`]: '{}' })

  it('is given a model that somebody put there, which is whole and nothing to go on from, and leaves it there', async () => {
    const run = makeTrainerRun(byHand(500))
    const got = await start(run, '', 'basename "$CKPT_PATH"')
    expect(got).toMatchObject({ status: 0, stdout: 'checkpoint-500\n' })
    expect(got.stderr).toMatch(/has only the model to resume from: no optimizer/)
    expect((await ckpt(['verify', run])).status).toBe(0)
    const saved = makeTrainerRun({ ...byHand(500), 'checkpoint-500/training_args.bin': 'x' })
    expect(await start(saved, '', 'echo started')).toMatchObject({ status: 4, stdout: '' })
    expect([readdirSync(run), readdirSync(saved)]).toEqual([['checkpoint-500'], ['checkpoint-500']])
  })

  it('that was cut off behind the model of its first save begins anew, as the journal knows', async () => {
    const run = makeTrainerRun({ 'notes.txt': '' })
    const source = makeTrainerRun(byHand(5))
    const killed = `cp -r ${source}/checkpoint-5 "$RUN"; kill -9 $$`
    expect((await start(run, '', killed)).status).toBe(137)
    expect((await start(run, '', 'ls "$RUN"; echo "${CKPT_PATH-none}"')).stdout).toBe('notes.txt\nnone\n')
    expect(await trashOf(run)).toEqual(['checkpoint-5'])
  })

  /** As diffusers' scripts save, in the order of a save. */
  const diffusers = (step: number, isFinished: boolean) => ({
    [`checkpoint-${step}/unet/config.json`]: '{}',
    [`checkpoint-${step}/unet/diffusion_pytorch_model.safetensors`]: model,
    ...Object.fromEntries(
      (isFinished ? ['optimizer.bin', 'scheduler.bin', 'random_states_0.pkl'] : []).map((name) => [
        `checkpoint-${step}/${name}`,
        'x',
      ]),
    ),
  })

  it("is given a model of diffusers' that somebody put there, and none that a kill left", async () => {
    const run = makeTrainerRun(diffusers(500, false))
    const got = await start(run, '', 'basename "$CKPT_PATH"')
    expect(got).toMatchObject({ status: 0, stdout: 'checkpoint-500\n' })
    expect(got.stderr).toMatch(/has only the model to resume from: no optimizer/)
    const killed = makeTrainerRun({ 'notes.txt': '' })
    await start(killed, '', `cp -r ${run}/checkpoint-500 "$RUN"; kill -9 $$`)
    expect((await start(killed, '', 'ls "$RUN"')).stdout).toBe('notes.txt\n')
    const later = makeTrainerRun({ ...diffusers(10, true), ...diffusers(20, true), ...diffusers(30, false) })
    expect((await start(later, '', 'basename "$CKPT_PATH"')).stdout).toBe('checkpoint-20\n')
    expect(await trashOf(later)).toEqual(['checkpoint-30'])
  })

  it('passes over a save of the Trainer that a SIGTERM began and a kill ended', async () => {
    const rest = (step: number) =>
      Object.fromEntries(
        ['optimizer.pt', 'scheduler.pt', 'rng_state.pth'].map((name) => [`checkpoint-${step}/${name}`, 'x']),
      )
    const run = makeTrainerRun({ ...checkpoint(5), ...rest(5), ...checkpoint(10), ...rest(10) })
    writeFileSync(join(run, 'checkpoint-10', 'checkpoint-is-incomplete.txt'), 'Checkpoint started at step 10')
    expect((await start(run, '', 'basename "$CKPT_PATH"')).stdout).toBe('checkpoint-5\n')
    expect(await trashOf(run)).toEqual(['checkpoint-10'])
  })

  it('goes on from the newest that it can, and never moves a finished save of the model alone', async () => {
    const rest = (step: number) =>
      Object.fromEntries(
        ['optimizer.pt', 'scheduler.pt', 'rng_state.pth'].map((name) => [`checkpoint-${step}/${name}`, 'x']),
      )
    const run = makeTrainerRun({ ...checkpoint(5), ...rest(5), ...checkpoint(10), ...rest(10), ...checkpoint(15) })
    const got = await start(run, '', 'basename "$CKPT_PATH"; ls "$RUN" | wc -l')
    expect(got).toMatchObject({ status: 0, stdout: 'checkpoint-10\n3\n' })
    expect(got.stderr).toMatch(/checkpoint-15 is whole and stays/)
  })

  it('goes on without the random state of one process where no checkpoint has all, and says so', async () => {
    const run = makeTrainerRun({
      ...checkpoint(5),
      'checkpoint-5/optimizer.pt': 'x',
      'checkpoint-5/scheduler.pt': 'x',
      'checkpoint-5/rng_state_0.pth': 'x',
    })
    expect((await ckpt(['verify', run])).status).toBe(4)
    const got = await start(run, '', 'basename "$CKPT_PATH"')
    expect(got).toMatchObject({ status: 0, stdout: 'checkpoint-5\n' })
    expect(got.stderr).toMatch(/checkpoint-5, which can be resumed from, but not exactly/)
  })

  it('that had finished a save does not begin anew when that is damaged', async () => {
    const run = makeTrainerRun(checkpoint(5))
    truncateSync(join(run, 'checkpoint-5', 'model.safetensors'), 4)
    expect(await start(run, '', 'echo started')).toMatchObject({ status: 4, stdout: '' })
  })
})

describe('Accelerate, which names its checkpoints itself', () => {
  const save = (states: string) =>
    `d="$RUN/checkpoints/checkpoint_$n"; mkdir -p "$d" && printf x > "$d/model.safetensors" && ${states}`
  const project = () => {
    const run = join(temporaryDirectory(), 'project')
    mkdirSync(run)
    return run
  }

  it('refuses a name that a first save has left when it was cut off: that goes, as the journal knows', async () => {
    const run = project()
    expect((await start(run, '', `n=0; ${save('kill -9 $$')}`)).status).toBe(137)
    const got = await start(run, '', `ls "$RUN/checkpoints"; n=0; ${save('true')}`)
    expect(got).toMatchObject({ status: 0, stdout: '' })
    expect(got.stderr.match(/moved to the trash: .* takes it/g)).toEqual([
      'moved to the trash: checkpoint_0: load_state() takes it',
    ])
  })

  const first = new URL('../fixtures/runs/frameworks/accelerate/run/checkpoints/checkpoint_0', import.meta.url).pathname
  // As `load_state`, which counts the objects that the script registered.
  const registers = `
    d="$RUN/checkpoints/checkpoint_0"
    if [ -n "$CKPT_PATH" ]; then cat "$d"/* > /dev/null; [ -e "$d/custom_checkpoint_0.pkl" ]; exit; fi
    mkdir -p "$RUN/checkpoints"; cp -r "${first}" "$d"; echo saved
    [ -e "$RUN/killed" ] || { touch "$RUN/killed"; rm "$d/custom_checkpoint_0.pkl"; kill -9 $$; }`

  it.runIf(notesReads(tmpdir()))(
    'saves what a script registered last: after three starts that could not load the rest, the next is a first one',
    async () => {
      const run = project()
      const statuses: number[] = []
      for (let count = 0; count < 4; count += 1) statuses.push((await start(run, '', registers)).status)
      expect(statuses).toEqual([137, 1, 1, 1])
      const got = await start(run, '', registers)
      expect(got).toMatchObject({ status: 0, stdout: 'saved\n' })
      expect(got.stderr).toContain(
        'moved to the trash: checkpoint_0: nothing here was ever finished; ' +
          'the job was killed as it saved it, and 3 starts that read it failed; to undo it: ckpt trash restore ',
      )
      expect(await start(run, '', registers)).toMatchObject({ status: 0, stdout: '' })
    },
  )

  it.runIf(notesReads(tmpdir()))('and so it is under ckpt run, in one go', async () => {
    const run = project()
    const got = await shell('ckpt run "$RUN" --back-off 1ms -- bash -c "$script"', {
      env: { RUN: run, script: registers },
    })
    expect(got).toMatchObject({ status: 0, stdout: 'saved\nsaved\n' })
    expect(got.stderr).toContain('3 starts that read it failed')
    expect(await trashOf(join(run, 'checkpoints'))).toEqual(['checkpoint_0'])
  })

  it('leaves a model there that somebody has put under such a name', async () => {
    const run = project()
    mkdirSync(join(run, 'checkpoints/checkpoint_7'), { recursive: true })
    writeFileSync(join(run, 'checkpoints/checkpoint_7/model.safetensors'), 'x')
    utimesSync(join(run, 'checkpoints/checkpoint_7'), 1_700_000_000, 1_700_000_000)
    expect((await start(run, '', `n=8; ${save('kill -9 $$')}`)).status).toBe(137)
    expect((await start(run, '', 'ls "$RUN/checkpoints"')).stdout).toBe('checkpoint_7\n')
  })
})

describe('a framework that finds nothing by itself begins anew, so', () => {
  const fixture = (path: string) => new URL(`../fixtures/runs/${path}`, import.meta.url)
  const checkpoints = 'lightning_logs/version_0/checkpoints'

  function copyOf(path: string, without: string): string {
    const run = join(temporaryDirectory(), 'run')
    cpSync(fixture(path), run, { recursive: true, preserveTimestamps: true })
    rmSync(join(run, without))
    return run
  }

  it.each([
    ['last.ckpt', `variants/lightning/run/bare/${checkpoints}`, 'ep03-acc0.94.ckpt', null],
    ['last_checkpoint', 'variants/mmengine/run/epoch', 'ckpt_4.pth', /^\/.*\/ckpt_4\.pth$/],
    ['latest', 'frameworks/deepspeed_zero3/run', 'global_step30', /^global_step30$/],
    ['latest_checkpointed_iteration.txt', 'variants/megatron-dataloader/run', 'iter_0000100', /^100$/],
    ['checkpoint', 'variants/tensorflow/run/manager', 'ckpt-30', /^model_checkpoint_path: "ckpt-30"/],
  ])('%s, which is not there, is made to stand for the chosen one in %s', async (name, path, chosen, text) => {
    const run = copyOf(path, name)
    const got = await start(run, '', 'true')
    expect(got.stderr).toContain(`${name} now stands for ${chosen}\n`)
    expect(got.stderr).not.toContain('begins anew')
    if (text !== null) expect(readFileSync(join(run, name), 'utf8')).toMatch(text)
    else expect(readFileSync(join(run, name))).toEqual(readFileSync(join(run, chosen)))
    expect((await start(run, '', 'true')).stderr).not.toContain('now stands')
  })

  it('it is told where no callback of Lightning’s has ever saved a last one', async () => {
    const run = join(temporaryDirectory(), 'run')
    cpSync(fixture(`variants/lightning/run/steps/${checkpoints}`), run, { recursive: true, preserveTimestamps: true })
    const got = await start(run, '', 'true')
    expect(got.status).toBe(0)
    expect(got.stderr).toMatch(/ckpt_path="last".*looks in .*run, finds nothing and begins anew.*CKPT_PATH.*\{path\}/)
    expect((await start(run, '--leave-damaged', 'true')).stderr).toContain('begins anew')
    expect((await ckpt(['run', run, '--', 'true'])).stderr).toContain('begins anew')
    const [first] = readdirSync(run)
    cpSync(join(run, first ?? ''), join(run, 'megatron--step=99-last.ckpt'))
    expect((await start(run, '', 'true')).stderr).not.toContain('begins anew')
    rmSync(join(run, 'megatron--step=99-last.ckpt'))
    for (const command of [
      ['echo', '{path}'],
      ['sh', '-c', 'echo $CKPT_PATH'],
    ]) {
      const told = await ckpt(['recover', run, '--', ...command])
      expect(told.stderr).not.toContain('begins anew')
    }
  })
})

describe('a folder that Lightning has made for one start', () => {
  it('is not where the next one looks for its last, which is told', async () => {
    const run = join(temporaryDirectory(), 'lightning_logs')
    const fixture = new URL('../fixtures/runs/variants/lightning/run/bare/lightning_logs', import.meta.url)
    cpSync(fixture, run, { recursive: true, preserveTimestamps: true })
    rmSync(join(run, 'version_0', 'metrics.csv'))
    const got = await start(run, '', 'true')
    expect(got.status).toBe(0)
    expect(got.stderr).toMatch(/ckpt_path="last" looks not in .*version_0\/checkpoints but in its own start's folder/)
    expect((await ckpt(['recover', run, '--', 'echo', '{path}'])).stderr).not.toContain('looks not in')
  })
})

describe('a job that was cut off amid its first save', () => {
  const cut = `mkdir -p "$RUN/CKPT+ep001"; echo "unixtime: 1700000000.0" > "$RUN/CKPT+ep001/CKPT.yaml"; printf x > "$RUN/CKPT+ep001/model.ckpt"; kill -9 $$`

  it('began from nothing, as the journal knows, and begins anew', async () => {
    const run = join(temporaryDirectory(), 'save')
    expect((await start(run, '', cut)).status).toBe(137)
    expect(await start(run)).toMatchObject({ status: 0, stdout: 'from scratch\n' })
    expect(await trashOf(run)).toEqual([nameOf(1)])
  })

  it('had finished a save, and goes on from it though it looks the same', async () => {
    const run = join(temporaryDirectory(), 'save')
    const whole = cut.replace('printf x >', 'echo 1 > "$RUN/CKPT+ep001/counter.ckpt"; printf x >')
    expect((await start(run, '', whole)).status).toBe(137)
    expect(await start(run)).toMatchObject({ status: 0, stdout: `from ${nameOf(1)}\n` })
    truncateSync(join(run, nameOf(1), 'model.ckpt'), 0)
    expect(await start(run, '', 'echo started')).toMatchObject({ status: 4, stdout: '' })
  })

  it('is nothing that the journal knows of a folder that came from elsewhere', async () => {
    const run = makeRun({ [nameOf(1)]: torn })
    expect(await start(run, '', 'echo started')).toMatchObject({ status: 4, stdout: '' })
    const moved = join(temporaryDirectory(), 'save')
    cpSync(run, moved, { recursive: true })
    expect(existsSync(join(moved, nameOf(1)))).toBe(true)
  })

  it('under ckpt run is started again with the retries that there are', async () => {
    const run = join(temporaryDirectory(), 'save')
    const script = `echo x >> starts; [ $(wc -l < starts) = 1 ] && { ${cut}; }; ${speechBrain}`
    const got = await shell(`ckpt run "$RUN" --back-off 1ms -- bash -c "$script"`, {
      env: { RUN: run, script },
      cwd: dirname(run),
    })
    expect(got).toMatchObject({ status: 0, stdout: 'from scratch\n' })
  })
})

describe('a failure that is another checkpoint’s', () => {
  it('never sets the chosen one aside', async () => {
    const run = makeRun({ ...epochs(2), [nameOf(9)]: torn })
    const got = await shell(
      `ckpt run "$RUN" --leave-damaged --back-off 1ms --min-uptime 0s --retries 4 -- bash -c "$script"`,
      { env: { RUN: run, script: speechBrain }, cwd: dirname(run) },
    )
    expect(got.status).toBe(7)
    expect(got.stderr).not.toContain('set aside')
  })

  it('nor does one before the command had read anything', async () => {
    const run = makeRun(epochs(2))
    const got = await shell(`ckpt run "$RUN" --back-off 1ms --retries 4 -- false`, { env: { RUN: run } })
    expect(got.status).toBe(1)
    expect(got.stderr).toContain('never started')
    expect(got.stderr).not.toContain('set aside')
  })

  it.runIf(notesReads(tmpdir()))('however late it was', async () => {
    const play = async (script: string) => {
      const run = makeRun(epochs(2))
      const flags = '--back-off 1ms --min-uptime 100ms --set-aside-after 2 --retries 2'
      return shell(`ckpt run "$RUN" ${flags} -- bash -c "$script"`, { env: { RUN: run, script } })
    }
    const unread = await play('sleep 0.4; exit 1')
    expect(unread).toMatchObject({ status: 1, stdout: '' })
    expect(unread.stderr).toContain('never started (exit status 1; it had not read its checkpoint)')
    expect(unread.stderr).not.toContain('set aside')
    const read = await play('cat "$CKPT_PATH"/* > /dev/null; sleep 0.4; exit 1')
    expect(read.stderr).toContain(`${nameOf(2)} is set aside`)
  })
})

describe('DeepSpeed, which names each finished save in latest', () => {
  function makeTags(latest: string | null): string {
    const run = join(temporaryDirectory(), 'run')
    const tag = join(run, 'global_step10')
    mkdirSync(tag, { recursive: true })
    for (const name of ['mp_rank_00_model_states.pt', 'zero_pp_rank_0_mp_rank_00_optim_states.pt'])
      writeFileSync(join(tag, name), '')
    if (latest !== null) writeFileSync(join(run, 'latest'), latest)
    return run
  }

  it('begins anew where its first save was cut off, and nowhere else', async () => {
    const cut = makeTags(null)
    expect((await start(cut, '', 'ls "$RUN"; echo "${CKPT_PATH-none}"')).stdout).toBe('none\n')
    expect(await trashOf(cut)).toEqual(['global_step10'])
    expect(await start(makeTags('global_step10'), '', 'echo started')).toMatchObject({ status: 4, stdout: '' })
  })
})
