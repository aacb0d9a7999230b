/** Who can write beside a run plants records and links in its state folder: what ckpt then deletes is its own alone. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun, nameOf, snapshot } from './runs.js'

const stateOf = (run: string) => join(dirname(run), '.ckpt', 'save')

/** A record of a demotion of `name` that was killed before this file went. */
function plantDemotion(run: string, name: string, file: string, key: string | null): void {
  const { ino, size, mtimeNs } = fs.statSync(file, { bigint: true })
  const mark = { key, inode: String(ino), size: Number(size), modified: Number(mtimeNs) / 1e9 }
  const gone = { name: 'gone.ckpt', key: null, inode: '1', size: 0, modified: 0 }
  const dropped = [{ name: file.split('/').at(-1), ...mark }, gone]
  const record = { version: 1, name, time: 0, modified: 1.7e9, finished: false, dropped }
  fs.mkdirSync(join(stateOf(run), 'demoted'), { recursive: true })
  fs.writeFileSync(join(stateOf(run), 'demoted', '0.json'), JSON.stringify(record))
}

const changes = [
  ['prune', '--keep', '3', '--yes'],
  ['demote', '--keep', '3', '--yes'],
]

describe('a planted record of an unfinished demotion', () => {
  it.each(changes)('takes no weights, of a pinned checkpoint neither: %s', async (command, ...flags) => {
    const run = makeRun(epochs(3))
    expect((await ckpt(['pin', join(run, nameOf(1))])).status).toBe(0)
    plantDemotion(run, nameOf(1), join(run, nameOf(1), 'model.ckpt'), 'model')
    const before = snapshot(run)
    await ckpt([command, run, ...flags])
    expect(snapshot(run)).toEqual(before)
  })

  it.each(changes)('takes nothing behind a link in the run: %s', async (command, ...flags) => {
    const run = makeRun(epochs(3))
    const home = temporaryDirectory()
    fs.writeFileSync(join(home, 'optimizer.ckpt'), 'precious')
    fs.symlinkSync(home, join(run, 'link'))
    plantDemotion(run, 'link', join(home, 'optimizer.ckpt'), null)
    await ckpt([command, run, ...flags])
    expect(fs.readdirSync(home)).toEqual(['optimizer.ckpt'])
  })
})

describe('a link to the trash of another run', () => {
  it.each([
    ['deleting', ['prune', '--keep', '3', '--yes']],
    ['trash', ['trash', 'empty', '--yes']],
    ['trash', ['prune', '--keep', '1', '--trash', '--yes']],
    ['staging', ['prune', '--keep', '3', '--yes']],
    ['moving', ['prune', '--keep', '3', '--yes']],
  ])('called %s in the state folder empties nothing there: %j', async (name, args) => {
    const victim = makeRun(epochs(3))
    expect((await ckpt(['prune', victim, '--keep', '1', '--trash', '--yes'])).status).toBe(0)
    const trash = join(stateOf(victim), 'trash')
    const before = snapshot(trash)
    const run = makeRun(epochs(3))
    fs.mkdirSync(stateOf(run), { recursive: true })
    fs.symlinkSync(trash, join(stateOf(run), name))
    const flags = args.filter((word) => word.startsWith('--') || /^\d/.test(word))
    await ckpt([...args.filter((word) => !flags.includes(word)), run, ...flags])
    expect(snapshot(trash)).toEqual(before)
    expect((await ckpt(['trash', 'restore', join(victim, nameOf(1))])).status).toBe(0)
  })
})

/** `verify FILE` looks into the three folders above for the run that the file may be of. */
describe('what lies above a file that is named by itself', () => {
  const header = Buffer.from('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}')
  const weights = Buffer.concat([Buffer.from([header.length, 0, 0, 0, 0, 0, 0, 0]), header, Buffer.alloc(4, 1)])
  const call = Buffer.from('\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.', 'latin1')

  function plant(folder: string): void {
    execFileSync('mkfifo', [join(folder, 'epoch=1-step=1.ckpt')])
    fs.writeFileSync(join(folder, 'epoch=2-step=2.ckpt'), call)
    fs.writeFileSync(join(folder, 'checkpoint_best.pt'), call)
    fs.writeFileSync(join(folder, 'latest'), 'c')
    fs.symlinkSync('latest.pt', join(folder, 'latest.pt'))
    fs.mkdirSync(join(folder, 'checkpoint-1'))
    fs.writeFileSync(join(folder, 'checkpoint-1', 'trainer_state.json'), '{"global_step":')
    fs.writeFileSync(join(folder, 'ckpt.yaml'), 'hooks: [{match: "*", load: "touch ran"}]\n')
    fs.chmodSync(join(folder, 'ckpt.yaml'), 0o666)
    fs.symlinkSync('/etc', join(folder, '.ckpt'))
  }

  it.each([
    ['whole', weights, 0],
    ['corrupt', Buffer.concat([weights.subarray(0, 20)]), 4],
    ['corrupt', Buffer.from('<html><body>404</body></html>'), 4],
  ])('changes nothing of its grade: %s', async (grade, bytes, status) => {
    const root = temporaryDirectory()
    const file = join(root, 'a', 'b', 'c', 'model.safetensors')
    fs.mkdirSync(dirname(file), { recursive: true })
    fs.writeFileSync(file, bytes)
    const alone = await ckpt(['verify', file, '--json'])
    for (const folder of ['', 'a', 'a/b']) plant(join(root, folder))
    const got = await ckpt(['verify', file, '--json'])
    expect([got.status, got.stdout]).toEqual([status, alone.stdout])
    expect(got.stdout).toContain(`"${grade}"`)
    expect(fs.existsSync(join(root, 'a', 'b', 'c', 'ran'))).toBe(false)
  })
})
