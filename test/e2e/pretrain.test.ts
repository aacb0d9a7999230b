import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Loopback } from '../loopback.js'
import { ckpt, outcomeOf, start, temporaryDirectory } from './ckpt.js'

const bytes = Buffer.alloc(40 << 20, 'some of the weights; ')
const digest = createHash('sha256').update(bytes).digest('hex')
const digestAt = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
let server: Loopback
let folder = ''

beforeEach(async () => {
  server = await Loopback.start()
  folder = temporaryDirectory()
})
afterEach(() => server.stop())

function plan(text: string): string {
  const path = join(folder, 'plan.yaml')
  writeFileSync(path, text)
  return path
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(20)
}

describe('a download', () => {
  it.each(['SIGKILL', 'SIGINT'] as const)('that %s ends has no name, and the next call goes on', async (signal) => {
    const served = { bytes, etag: '"a"' }
    const url = server.on('/model.ckpt', { ...served, stallsAfter: 30 << 20 })
    const path = plan(`collect_in: in\nloadables: {model: }\npaths: {model: ${url}}`)
    const parts = join(folder, '.ckpt', 'in', 'downloads')
    const child = start(['pretrain', path])
    const ended = outcomeOf(child)
    const part = () => readdirSync(parts).find((name) => !name.includes('.'))
    await until(
      () => existsSync(parts) && part() !== undefined && statSync(join(parts, part() ?? '')).size === 30 << 20,
    )
    child.kill(signal)
    expect((await ended).status).toBe(signal === 'SIGKILL' ? 137 : 130)
    expect(readdirSync(join(folder, 'in'))).toEqual([])
    server.on('/model.ckpt', served)
    const { status, stderr } = await ckpt(['pretrain', path])
    expect([status, stderr]).toEqual([0, ''])
    // What had not reached the disk for sure comes again.
    expect(server.asked.at(-1)).toMatch(signal === 'SIGKILL' ? /bytes=(1[6-9]|2\d)\d{6}-$/ : /bytes=31457280-$/)
    expect(digestAt(join(folder, 'in', 'model.ckpt'))).toBe(digest)
    expect(readdirSync(join(folder, '.ckpt', 'in'))).toEqual(['collected.json'])
  })
})

describe('a repository', () => {
  const commit = '0123456789'.repeat(4)
  const token = 'hf_secretsecret'
  const small = Buffer.from('pieces')
  const oid = createHash('sha1').update('blob 6\0').update(small).digest('hex')

  it("comes from the environment's hub, with its token, which nobody gets to see", async () => {
    server.on('/api/models/org/asr/revision/main', (_, response) => {
      response.end(JSON.stringify({ _id: '1', id: 'org/asr', sha: commit }))
    })
    server.on(`/api/models/org/asr/paths-info/${commit}`, (_, response) => {
      response.end(JSON.stringify([{ type: 'file', path: 'tokenizer.ckpt', size: 6, oid }]))
    })
    server.on(`/org/asr/resolve/${commit}/tokenizer.ckpt`, { bytes: small })
    const path = plan('collect_in: in\ndefault_source: org/asr\nloadables: {tokenizer: }')
    const env = { HF_ENDPOINT: `${server.origin}/`, HF_TOKEN: token, HF_HOME: folder }
    const dry = await ckpt(['pretrain', path, '--dry-run', '--json'], { env })
    expect(JSON.parse(dry.stdout)).toMatchObject({
      files: [{ action: 'download', bytes: 6, from: 'org/asr@main/tokenizer.ckpt', digest: { value: oid } }],
    })
    expect(readdirSync(folder)).toEqual(['plan.yaml'])
    const done = await ckpt(['pretrain', path], { env })
    expect([done.status, done.stderr]).toEqual([0, ''])
    expect(server.seen.every(({ headers }) => headers.authorization === `Bearer ${token}`)).toBe(true)
    expect(readFileSync(join(folder, 'in', 'tokenizer.ckpt'), 'utf8')).toBe('pieces')
    const everything = [dry.stdout, done.stdout, readFileSync(join(folder, '.ckpt/in/collected.json'), 'utf8')].join()
    expect(everything).not.toContain(token)
    // Elsewhere, without a network.
    const again = await ckpt(['pretrain', path], { env: { ...env, HF_ENDPOINT: 'http://127.0.0.1:9' } })
    expect([again.status, again.stdout]).toEqual([0, expect.stringContaining('there already')])
  })

  it('that is private says what is needed', async () => {
    server.on('/api/models/org/asr/revision/main', (_, response) => {
      response.writeHead(401, { 'x-error-code': 'RepoNotFound' }).end()
    })
    const path = plan('collect_in: in\ndefault_source: org/asr\nloadables: {tokenizer: }')
    const { status, stderr } = await ckpt(['pretrain', path], { env: { HF_ENDPOINT: server.origin, HF_HOME: folder } })
    expect(status).toBe(3)
    expect(stderr).toContain('or it is private')
    expect(stderr).toContain('HF_TOKEN')
  })
})

describe('a plan', () => {
  it('with a mistake is reported with its place', async () => {
    const path = plan('collect_in: in\nloadable: {model: }\n')
    const { status, stderr } = await ckpt(['pretrain', path])
    expect(status).toBe(2)
    expect(stderr).toBe(`error: ${path}:2:1: "loadable" is not a key of a plan\nhint: did you mean loadables?\n`)
  })

  it('done in part says what remains, with exit status 6', async () => {
    writeFileSync(join(folder, 'lm.ckpt'), 'lm')
    const path = plan(`collect_in: in\ndefault_source: .\nloadables: {lm: , am: }\n`)
    const { status, stdout, stderr } = await ckpt(['pretrain', path])
    expect(status).toBe(6)
    expect(stdout).toContain('linked (symbolic)')
    expect(stderr).toContain(`1 of 2 failed:\n  am: ${join(folder, 'am.ckpt')}: there is no such file`)
  })

  it('that fails in several ways has a hint for each', async () => {
    writeFileSync(join(folder, 'lm.ckpt'), 'lm')
    const path = plan(
      `collect_in: in\ndefault_source: .\nloadables: {lm: , lk: , elsewhere: }\npaths: {elsewhere: ./no/a}`,
    )
    const { status, stderr } = await ckpt(['pretrain', path])
    expect(status).toBe(6)
    expect(stderr).toContain('lk.ckpt: there is no such file\n    did you mean lm.ckpt?\n')
    expect(stderr).toContain(`/no/a: there is no such file\n    there is no folder ${join(folder, 'no')}\n`)
  })

  it('tells the shards of an index that is here, and that those of another are not known yet', async () => {
    const index = JSON.stringify({ weight_map: { a: 'm-1.safetensors', b: 'm-2.safetensors' } })
    writeFileSync(join(folder, 'm.index.json'), index)
    for (const name of ['m-1.safetensors', 'm-2.safetensors']) writeFileSync(join(folder, name), name)
    const url = server.on('/far.index.json', { bytes: Buffer.from(index) })
    const path = plan(`collect_in: in\nloadables: {near: , far: }\npaths: {near: m.index.json, far: "${url}?x=1"}`)
    const { status, stdout } = await ckpt(['pretrain', path, '--dry-run'])
    expect([status, existsSync(join(folder, 'in'))]).toEqual([0, false])
    expect(stdout).toMatch(/near\/m-1\.safetensors +to link \(symbolic\)/)
    expect(stdout).toMatch(/far\/… +to fetch +size unknown +the shards that the index will name/)
    const { files } = JSON.parse((await ckpt(['pretrain', path, '--dry-run', '--json'])).stdout) as {
      files: { key: string; shards: string[] | null }[]
    }
    expect(new Map(files.map(({ key, shards }) => [key, shards]))).toEqual(
      new Map<string, string[] | null>([
        ['near', ['near/m-1.safetensors', 'near/m-2.safetensors']],
        ['far', null],
        ['near/m-1.safetensors', []],
        ['near/m-2.safetensors', []],
      ]),
    )
  })

  it("runs a key's hook with single arguments", async () => {
    writeFileSync(join(folder, 'lm.ckpt'), 'lower case')
    const hook = `sh -c 'tr a-z A-Z < "$1" > "$2"' - {source} {target}`
    const path = plan(
      `collect_in: in\ndefault_source: .\noutput: out\nloadables: {lm: new/lm.txt}\nhooks:\n  - key: lm\n    transfer: ${hook}\n`,
    )
    const { status, stderr } = await ckpt(['pretrain', path])
    expect([status, stderr]).toEqual([0, ''])
    expect(readFileSync(join(folder, 'out', 'lm.txt'), 'utf8')).toBe('LOWER CASE')
  })

  it('takes the hooks of ckpt.yaml after its own', async () => {
    for (const name of ['lm.ckpt', 'am.ckpt', 'theirs']) writeFileSync(join(folder, name), name)
    const theirs = (key: string) => `{key: ${key}, transfer: "cp theirs {target}"}`
    writeFileSync(join(folder, 'ckpt.yaml'), `hooks: [${theirs('lm')}, ${theirs('am')}]\n`)
    const loadables = '{lm: new/lm.txt, am: new/am.txt}'
    const own = 'hooks: [{key: lm, transfer: "cp {source} {target}"}]'
    const path = plan(`collect_in: in\ndefault_source: .\noutput: out\nloadables: ${loadables}\n${own}\n`)
    const { status, stderr } = await ckpt(['pretrain', path])
    expect([status, stderr]).toEqual([0, ''])
    const made = (name: string) => readFileSync(join(folder, 'out', name), 'utf8')
    expect([made('lm.txt'), made('am.txt')]).toEqual(['lm.ckpt', 'theirs'])
  })
})
