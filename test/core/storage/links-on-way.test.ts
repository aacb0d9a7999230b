/** Whose links may lead what changes a run: never those of somebody else to what is not theirs. */
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fingerprint, guardRun, removeCheckpoints } from '../../../src/core/changes/disposal/index.js'
import { makeFolders } from '../../../src/core/changes/publish/index.js'
import { readPins, stateFolderOf, writePins } from '../../../src/core/changes/state/index.js'
import { UntrustedError } from '../../../src/core/errors.js'
import { loadNamed } from '../../../src/core/runs/opening/checkpoint-by-word.js'
import { followLinks } from '../../../src/core/storage/links-on-way.js'
import { localStorage } from '../../../src/core/storage/local.js'
import type { Storage } from '../../../src/core/storage/storage.js'
import { userStorage } from '../../../src/machine/user-storage.js'
import { makeRun, temporaryDirectory } from '../changes/disposal/runs.js'

const nobody = 65_534
const note = { name: 'CKPT+a', note: '', time: 1, goneTold: false }
const newStorage = () => userStorage(() => undefined)

/** A path to the run over a link of that user's. */
function linkTo(run: string, owner: number): string {
  const link = join(temporaryDirectory(), 'link')
  fs.symlinkSync(dirname(run), link)
  fs.lchownSync(link, owner, owner)
  return join(link, 'save')
}

async function pinBy(path: string): Promise<void> {
  const storage = newStorage()
  await writePins(storage, await stateFolderOf(storage, path), [note])
}

async function pinsAt(run: string): Promise<number> {
  const storage = newStorage()
  return (await readPins(storage, await stateFolderOf(storage, run))).size
}

describe.runIf(process.geteuid?.() === 0)('a link of somebody else', () => {
  it('to what is not theirs leads nothing there that changes it, and all that reads', async () => {
    const run = makeRun(['CKPT+a'])
    const named = linkTo(run, nobody)
    await expect(pinBy(named)).rejects.toThrow(/by a link of user 65534, and belongs to user 0: nothing is changed/)
    const storage = newStorage()
    expect(() => {
      guardRun(storage, named)
    }).toThrow(UntrustedError)
    await expect(storage.unlink(join(named, 'CKPT+a', 'model.ckpt'))).rejects.toThrow(UntrustedError)
    await expect(makeFolders(storage, join(dirname(named), 'new', 'one'))).rejects.toThrow(UntrustedError)
    expect(fs.readdirSync(dirname(run))).toEqual(['save'])
    await pinBy(run)
    expect(await pinsAt(named)).toBe(1)
  })

  it('leads nothing out of their folder that the superuser writes there by name, and what is written is theirs', async () => {
    const theirs = temporaryDirectory()
    const secret = temporaryDirectory()
    fs.chownSync(theirs, nobody, nobody)
    fs.symlinkSync(secret, join(theirs, 'link'))
    fs.lchownSync(join(theirs, 'link'), nobody, nobody)
    const storage = newStorage()
    const at = join(theirs, 'link', 'model.safetensors')
    fs.writeFileSync(join(secret, 'there'), 'precious')
    const there = join(theirs, 'link', 'there')
    await expect(storage.create(at)).rejects.toThrow(/by a link of user 65534/)
    await expect(storage.makeDirectory(at)).rejects.toThrow(UntrustedError)
    await expect(storage.symbolicLink('there', at)).rejects.toThrow(UntrustedError)
    await expect(storage.copyFile(join(secret, 'there'), at)).rejects.toThrow(UntrustedError)
    await expect(storage.rename(there, join(theirs, 'taken'))).rejects.toThrow(UntrustedError)
    await expect(storage.unlink(there)).rejects.toThrow(UntrustedError)
    expect(fs.readdirSync(secret)).toEqual(['there'])
    await (await storage.create(join(theirs, 'out.safetensors'))).close()
    expect(fs.statSync(join(theirs, 'out.safetensors')).uid).toBe(nobody)
  })

  it('leads nothing that any user writes by name to what is not theirs, also where they could write there', async () => {
    const shared = temporaryDirectory()
    const own = temporaryDirectory()
    fs.writeFileSync(join(own, 'model.pt'), 'precious')
    fs.symlinkSync(own, join(shared, 'out'))
    fs.lchownSync(join(shared, 'out'), nobody, nobody)
    // As a user who is not the superuser: with no rights of others to act by.
    const storage = localStorage({ custody: { user: 0 } })
    const at = (name: string) => join(shared, 'out', name)
    await expect(storage.create(at('new.pt'))).rejects.toThrow(/by a link of user 65534, and belongs to user 0/)
    await expect(storage.makeDirectory(at('folder'))).rejects.toThrow(UntrustedError)
    await expect(storage.rename(at('model.pt'), at('other.pt'))).rejects.toThrow(UntrustedError)
    await expect(storage.unlink(at('model.pt'))).rejects.toThrow(UntrustedError)
    expect(fs.readdirSync(own)).toEqual(['model.pt'])
  })

  it('by which a checkpoint is named removes nothing of a run that is not theirs', async () => {
    const run = makeRun(['CKPT+a'])
    const link = join(temporaryDirectory(), 'latest')
    const named = async (owner: number) => {
      fs.rmSync(link, { force: true })
      fs.symlinkSync(join(run, 'CKPT+a'), link)
      fs.lchownSync(link, owner, owner)
      const storage = newStorage()
      const loaded = await loadNamed(storage, link, '/')
      return { storage, loaded, planned: await fingerprint(storage, [loaded.checkpoint]) }
    }
    const remove = ({ storage, loaded, planned }: Awaited<ReturnType<typeof named>>) =>
      removeCheckpoints(storage, run, [loaded.checkpoint], { wait: () => Promise.resolve(), planned })
    await expect(remove(await named(nobody))).rejects.toThrow(/by a link of user 65534/)
    const swapped = await named(nobody)
    fs.rmSync(link)
    await expect(remove(swapped)).rejects.toThrow(UntrustedError)
    expect(fs.readdirSync(run)).toEqual(['CKPT+a'])
    expect((await remove(await named(0))).removed).toHaveLength(1)
  })

  it('to their own run is followed, and so is one of the user', async () => {
    const run = makeRun(['CKPT+a'])
    await pinBy(linkTo(run, 0))
    expect(await pinsAt(run)).toBe(1)
    for (const path of [dirname(run), run]) fs.chownSync(path, nobody, nobody)
    fs.rmSync(join(dirname(run), '.ckpt'), { recursive: true })
    await pinBy(linkTo(run, nobody))
    expect(await pinsAt(run)).toBe(1)
  })
})

describe('a folder above the run that becomes a link once the run was found', () => {
  const scene = async () => {
    const run = makeRun(['CKPT+a'])
    const victim = makeRun(['CKPT+a'])
    const storage = newStorage()
    guardRun(storage, run)
    const state = await stateFolderOf(storage, run)
    fs.renameSync(dirname(run), `${dirname(run)}.away`)
    fs.symlinkSync(dirname(victim), dirname(run))
    return { run, victim, storage, state }
  }

  it.runIf(process.platform === 'linux')('leads neither what changes the run nor what is kept beside it', async () => {
    const { run, victim, storage, state } = await scene()
    await expect(storage.unlink(join(run, 'CKPT+a', 'model.ckpt'))).rejects.toThrow()
    await expect(writePins(storage, state, [note])).rejects.toThrow()
    expect(fs.readdirSync(dirname(victim))).toEqual(['save'])
    expect(fs.existsSync(join(victim, 'CKPT+a', 'model.ckpt'))).toBe(true)
  })
})

describe('a folder above the run that is a link for a moment, while ckpt asks where the run lies', () => {
  /** What is asked of `resolve` is answered through the link; before and after it the path leads where `rest` says. */
  const scene = (rest: 'nothing' | 'the run') => {
    const run = makeRun(['CKPT+a'])
    const victim = makeRun(['CKPT+a'])
    const above = dirname(run)
    const show = (what: 'link' | 'nothing' | 'the run') => {
      if (fs.lstatSync(above, { throwIfNoEntry: false })?.isSymbolicLink() === true) fs.unlinkSync(above)
      else if (fs.existsSync(above)) fs.renameSync(above, `${above}.away`)
      if (what === 'link') fs.symlinkSync(dirname(victim), above)
      if (what === 'the run') fs.renameSync(`${above}.away`, above)
    }
    const plain = newStorage()
    let asked = 0
    const swapping = (call: number): Storage => ({
      ...plain,
      resolve: async (paths) => {
        asked += 1
        if (asked !== call) return plain.resolve(paths)
        show('link')
        const answer = await plain.resolve(paths)
        show(rest)
        return answer
      },
    })
    return { run, victim, swapping }
  }

  it.each(['nothing', 'the run'] as const)(
    'and then %s, leads nothing that is kept beside a run there',
    async (rest) => {
      for (const call of [1, 2, 3]) {
        const { run, victim, swapping } = scene(rest)
        const before = fs.statSync(dirname(victim), { bigint: true }).mtimeNs
        const storage = swapping(call)
        const wrote = await stateFolderOf(storage, run)
          .then((state) => writePins(storage, state, [note]))
          .then(
            () => true,
            () => false,
          )
        expect(fs.readdirSync(dirname(victim))).toEqual(['save'])
        expect(fs.statSync(dirname(victim), { bigint: true }).mtimeNs).toBe(before)
        expect(wrote).toBe(fs.existsSync(join(dirname(run), '.ckpt')))
      }
    },
  )

  it('leads no change of the run there that was to be guarded while nothing was there', async () => {
    const run = makeRun(['CKPT+a'])
    const victim = makeRun(['CKPT+a'])
    const storage = newStorage()
    const above = dirname(run)
    fs.renameSync(above, `${above}.away`)
    guardRun(storage, run)
    fs.symlinkSync(dirname(victim), above)
    await expect(storage.unlink(join(run, 'CKPT+a', 'model.ckpt'))).rejects.toThrow()
    expect(fs.existsSync(join(victim, 'CKPT+a', 'model.ckpt'))).toBe(true)
  })
})

describe('the links on a way', () => {
  it('are followed one by one, relative ones and those behind others too, as the system does', async () => {
    const place = fs.realpathSync(temporaryDirectory())
    fs.mkdirSync(join(place, 'a', 'b'), { recursive: true })
    fs.symlinkSync('a/b', join(place, 'one'))
    fs.symlinkSync(`${place}/one/..`, join(place, 'two'))
    for (const path of ['one', 'two', 'two/b', 'a/b', '.']) {
      const real = fs.realpathSync.native(join(place, path))
      expect(followLinks(join(place, path)).real).toBe(real)
      expect(await newStorage().resolve([join(place, path)])).toEqual([{ ok: true, value: real }])
    }
    expect(followLinks(join(place, 'one', 'new', 'er'))).toMatchObject({
      real: join(place, 'a/b/new/er'),
      isThere: false,
    })
    fs.symlinkSync('round', join(place, 'round'))
    expect(() => followLinks(join(place, 'round'))).toThrow(/leads to itself/)
  })
})
