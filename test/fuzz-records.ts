/** What lies in a state folder, and plans: whatever is in such a file, only names within the run come out of it. */
import { readJournal } from '../src/core/changes/journal/index.js'
import {
  holderOf,
  isNameInside,
  readChecksums,
  readDemotions,
  readPins,
  readSetAside,
  readStopRequest,
  readTrash,
  stateFolderOf,
  type StateFolder,
} from '../src/core/changes/state/index.js'
import { neutralName } from '../src/core/changes/state/index.js'
import { lineOf } from '../src/core/changes/journal/entry.js'
import { readPlanFile } from '../src/core/runs/index.js'
import { StorageError } from '../src/core/errors.js'
import type { DirectoryEntry, EntryKind, Result, Stat, Storage } from '../src/core/storage/storage.js'

const run = '/exp/save'
const name = 'CKPT+2026-01-01+00-00-00+00'
const neutral = neutralName(name)
const entry = { name: 'optimizer.ckpt', key: 'optimizer', inode: '1234567', size: 4096, modified: 1767225600.25 }
const owner = { host: 'node1', pid: 4711, started: '100', boot: 'b', namespace: 'n', command: 'ckpt prune' }
const mark = { name: '', kind: 'directory', size: 4096, modified: 1767225600.25, inode: '1234567' }
const token = '6f1c7d2e-8a4b-4c1d-9e3f-0123456789ab'

interface RecordKind {
  /** Relative to the state folder. */
  readonly at: string
  readonly sound: unknown
  readonly read: (storage: Storage, state: StateFolder) => Promise<readonly string[]>
}

/** Where each lies in the state folder, one as ckpt writes it, and what reads it; the names that come out are looked at. */
const records: Readonly<Record<string, RecordKind>> = {
  demotion: {
    at: `demoted/${neutral}.json`,
    sound: { version: 1, name, time: 1, modified: 2.5, finished: false, dropped: [entry, { ...entry, key: null }] },
    read: async (storage: Storage, state: StateFolder) =>
      [...(await readDemotions(storage, state)).values()].flatMap((one) => [
        one.name,
        ...one.dropped.map((dropped) => {
          if (dropped.name.includes('/')) throw new Error(`${dropped.name} lies deeper in the checkpoint`)
          return dropped.name
        }),
      ]),
  },
  trash: {
    at: `trash/${neutral}.json`,
    sound: {
      version: 1,
      name,
      time: 1,
      reason: 'not among the newest 2',
      layout: 'speechbrain',
      kind: 'directory',
      size: 9,
    },
    read: async (storage: Storage, state: StateFolder) =>
      (await readTrash(storage, state)).entries.map((one) => one.name),
  },
  pins: {
    at: 'pins.json',
    sound: { version: 1, pins: [{ name, note: 'kept', time: 1, goneTold: false }] },
    read: async (storage: Storage, state: StateFolder) => [...(await readPins(storage, state)).keys()],
  },
  'set-aside': {
    at: 'set-aside.json',
    sound: { version: 1, checkpoints: [{ name, saved: 1.5, starts: 3, time: 1 }] },
    read: async (storage: Storage, state: StateFolder) => (await readSetAside(storage, state)).map((one) => one.name),
  },
  checksums: {
    at: `checksums/${neutral}.json`,
    sound: { version: 1, name, time: 1, files: [{ name: 'a/model.ckpt', size: 5, sha256: 'ab'.repeat(32) }] },
    read: async (storage: Storage, state: StateFolder) =>
      [...(await readChecksums(storage, state, [name])).values()].flatMap((one) => [one.name, ...one.files.keys()]),
  },
  stop: {
    at: 'stop.json',
    sound: { version: 1, when: 'after-next-checkpoint' },
    read: async (storage: Storage, state: StateFolder) => {
      await readStopRequest(storage, state)
      return []
    },
  },
  lock: {
    at: 'lock/owner.json',
    sound: { version: 1, token, time: 1, owner },
    read: async (storage: Storage, state: StateFolder) => {
      const none = () => Promise.resolve()
      const processes = { self: owner, startOf: () => '100', isOwnJob: () => true }
      await holderOf(storage, state, { processes, now: () => 1, wait: none, every: () => () => undefined, patience: 0 })
      return []
    },
  },
  plan: {
    at: 'plan.json',
    sound: {
      kind: 'ckpt prune plan',
      version: 1,
      run,
      created: 1,
      protect: true,
      allowEmpty: false,
      freedBytes: 9,
      keep: [],
      remove: [{ name, reason: 'old', fingerprint: [mark, { ...mark, name: 'model.ckpt', kind: 'file' }] }],
    },
    read: async (storage: Storage, state: StateFolder) => {
      const { plans } = await readPlanFile(storage, `${state.path}/plan.json`)
      return plans
        .flatMap(({ remove }) => remove)
        .flatMap((one) => [one.name, ...[...one.fingerprint.keys()].filter((key) => key !== '')])
    },
  },
}

const start = {
  what: 'start',
  time: 1,
  attempt: 1,
  reason: 'first',
  checkpoint: name,
  command: ['python', 'train.py'],
  host: 'node1',
  pid: 4711,
  started: '100',
  job: { scheduler: 'slurm', id: '7', restarts: 0 },
} as const

const journal = {
  at: 'journal.jsonl',
  text: [
    lineOf(start),
    lineOf({ what: 'checkpoint', time: 2, name, saved: 2, epoch: 1, step: 10, metrics: new Map([['loss', 0.5]]) }),
    lineOf({ what: 'end', time: 3, ending: 'done', why: '', status: 0, seconds: 2, lost: 0, next: 'nothing' }),
  ].join(''),
}

/** Each as ckpt writes it, by a name that says what it is. */
export const recordSpecimens: readonly { readonly name: string; readonly at: string; readonly bytes: Uint8Array }[] = [
  ...Object.entries(records).map(([kind, { at, sound }]) => ({
    name: `record: ${kind}`,
    at,
    bytes: new TextEncoder().encode(JSON.stringify(sound, null, 2)),
  })),
  { name: 'record: journal', at: journal.at, bytes: new TextEncoder().encode(journal.text) },
]

/** Reads one as it lies in a state folder that holds nothing else. Throws where a name leads out of the run. */
export async function readRecordOf(kind: string, bytes: Uint8Array): Promise<void> {
  const record = records[kind]
  const storage = storageWith(`/exp/.ckpt/save/${record?.at ?? journal.at}`, bytes)
  const state = await stateFolderOf(storage, run)
  if (record === undefined) {
    await readJournal(storage, state)
    return
  }
  for (const one of await record.read(storage, state)) {
    if (!isNameInside(one)) throw new Error(`${kind}: ${JSON.stringify(one)} leads out of the run`)
  }
}

/** One file in folders that hold nothing else but, in a trash, what its record tells of. */
function storageWith(file: string, bytes: Uint8Array): Storage {
  const thing = file.includes('/trash/') ? file.replace(/\.json$/, '') : file
  const absent = (path: string) => ({
    ok: false as const,
    error: new StorageError(path, 'ENOENT', `${path}: not there`),
  })
  const statOf = (path: string): Result<Stat> => {
    if (path === file) return { ok: true, value: stat('file') }
    return path === thing || file.startsWith(`${path}/`) ? { ok: true, value: stat('directory') } : absent(path)
  }
  const entriesOf = (path: string): Result<readonly DirectoryEntry[]> => {
    const inside = [file, thing].filter((one) => one.startsWith(`${path}/`))
    if (inside.length === 0) return absent(path)
    const names = new Set(inside.map((one) => one.slice(path.length + 1).split('/')[0] ?? ''))
    return {
      ok: true,
      value: [...names].map((one) => ({ name: one, kind: one.endsWith('.json') ? 'file' : 'directory' })),
    }
  }
  const reading = {
    custody: { user: null, stateHome: null, warn: () => undefined },
    guard: () => null,
    list: async (paths: readonly string[]) => paths.map(entriesOf),
    stat: async (paths: readonly string[]) => paths.map(statOf),
    lstat: async (paths: readonly string[]) => paths.map(statOf),
    read: async (paths: readonly string[]) =>
      paths.map((path) => (path === file ? { ok: true as const, value: bytes } : absent(path))),
    resolve: async (paths: readonly string[]) => paths.map((path) => ({ ok: true as const, value: path })),
  }
  // Reading changes nothing: any other call is a bug.
  return reading as unknown as Storage
}

function stat(kind: EntryKind): Stat {
  return {
    kind,
    size: 0,
    modified: 0,
    modifiedNs: 0n,
    changedNs: 0n,
    allocated: 0,
    device: 1n,
    inode: 1n,
    links: 1,
    mode: 0o700,
    owner: 0,
    group: 0,
  }
}
