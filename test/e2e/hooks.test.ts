/** Hooks of ckpt.yaml as users have them: files that are kept compressed, checked and carried over by commands of their own. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from './ckpt.js'

const model = fileURLToPath(new URL('../../examples/asr/new-language.safetensors', import.meta.url))

const gzip = String.raw`
hooks:
  - match: "*.gz"
    shell: true
    save: 'gzip -c "$CKPT_SOURCE" > "$CKPT_TARGET"'
    load: 'gzip -dc "$CKPT_SOURCE" > "$CKPT_TARGET"'
  - match: "*.gz"
    verify: "gzip -t -S .ckpt {source}"
`

/** A folder with settings, and a run that is saved through them. */
async function saved(settings = gzip): Promise<{ folder: string; run: string; checkpoint: string }> {
  const folder = temporaryDirectory()
  const run = join(folder, 'save')
  writeFileSync(join(folder, 'ckpt.yaml'), settings)
  const { status, stdout, stderr } = await ckpt(['save', run, '--file', `model.gz=${model}`, '--meta', 'epoch=1'])
  expect([status, stderr]).toEqual([0, ''])
  return { folder, run, checkpoint: stdout.trim() }
}

describe('a hook', () => {
  it('saves, and is read through by what reads tensors; nothing stays in the temporary folder', async () => {
    const { checkpoint } = await saved()
    const stored = readFileSync(join(checkpoint, 'model.gz.ckpt'))
    expect(gunzipSync(stored).equals(readFileSync(model))).toBe(true)
    const TMPDIR = temporaryDirectory()
    const listed = await ckpt(['tensors', checkpoint, '--hash', '--json'], { env: { TMPDIR } })
    const plain = await ckpt(['tensors', model, '--hash', '--json'])
    const sums = (text: string) =>
      (JSON.parse(text) as { tensors: { sha256: string }[] }).tensors.map(({ sha256 }) => sha256)
    expect(sums(listed.stdout)).toEqual(sums(plain.stdout))
    const carried = await ckpt(['diff', checkpoint, model, '--values', '--exit-code'], { env: { TMPDIR } })
    expect([carried.status, carried.stderr]).toEqual([0, ''])
    expect(readdirSync(TMPDIR)).toEqual([])
  })

  it('gives a new run what was saved', async () => {
    const { folder, run, checkpoint } = await saved()
    const into = join(folder, 'next', 'save')
    const { status } = await ckpt(['recover', run, '--into', into, '--link', 'hard'])
    expect(status).toBe(0)
    expect(readFileSync(join(into, basename(checkpoint), 'model.gz.ckpt')).equals(readFileSync(model))).toBe(true)
  })

  it('says whether a file is whole', async () => {
    const { run, checkpoint } = await saved()
    expect((await ckpt(['verify', run])).status).toBe(0)
    const file = join(checkpoint, 'model.gz.ckpt')
    writeFileSync(file, readFileSync(file).subarray(0, 100))
    const { status, stdout } = await ckpt(['verify', run])
    expect([status, stdout]).toEqual([
      4,
      expect.stringMatching(/ckpt\.yaml:8:13: the verify hook failed with exit status 1/) as string,
    ])
  })

  it('that fails fails the step: nothing half done stays, and its output is shown', async () => {
    const folder = temporaryDirectory()
    const settings = `hooks: [{key: model, shell: true, save: 'echo part > "$CKPT_TARGET"; echo no room >&2; exit 3'}]\n`
    writeFileSync(join(folder, 'ckpt.yaml'), settings)
    const { status, stderr } = await ckpt(['save', join(folder, 'save'), '--file', `model=${model}`])
    expect(status).toBe(1)
    expect(stderr).toMatch(/ckpt\.yaml:1:41: the save hook failed with exit status 3: sh -c .*\n {2}no room/)
    expect(readdirSync(folder)).toEqual(['ckpt.yaml'])
  })

  it('takes what is given on standard input, and moves only what it has saved', async () => {
    const folder = temporaryDirectory()
    writeFileSync(join(folder, 'ckpt.yaml'), gzip)
    const out = join(folder, 'out')
    mkdirSync(out)
    writeFileSync(join(out, 'a'), 'given')
    const run = join(folder, 'save')
    const files = ['--file', 'note.gz=-', '--file', `other.gz=${join(out, 'a')}`]
    const { status, stdout } = await ckpt(['save', run, ...files, '--move'], { input: 'piped' })
    expect([status, existsSync(join(out, 'a'))]).toEqual([0, false])
    const text = (name: string) => gunzipSync(readFileSync(join(stdout.trim(), name))).toString()
    expect([text('note.gz.ckpt'), text('other.gz.ckpt')]).toEqual(['piped', 'given'])
  })
})
