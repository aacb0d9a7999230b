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

  it('transfers in place of ckpt: by key from a checkpoint, by pattern a file of its own', async () => {
    const both = `hooks:
  - {key: tokenizer, shell: true, transfer: 'cat "$CKPT_SOURCE" "$CKPT_TEMPLATE" > "$CKPT_TARGET"; echo "$CKPT_NAME"'}
  - {match: "*.vocab", transfer: "cp {source} {target}"}
`
    const { folder, run } = await runWith(both)
    const template = join(folder, 'new.model')
    writeFileSync(template, 'new')
    const output = join(folder, 'out.model')
    const args = ['transfer', run, template, '--key', 'tokenizer', '-o', output]
    const trial = await ckpt([...args, '-n'])
    expect([trial.status, existsSync(output)]).toEqual([0, false])
    const { status, stdout } = await ckpt(args)
    expect([status, readFileSync(output, 'utf8')]).toEqual([0, 'oldnew'])
    expect(stdout).toContain(`by the hook at ${join(folder, 'ckpt.yaml')}:2:`)
    expect((await ckpt(args)).status).toBe(5)
    expect((await ckpt([...args, '--force'])).status).toBe(0)
    writeFileSync(join(folder, 'a.vocab'), 'vocabulary')
    await ckpt(['transfer', join(folder, 'a.vocab'), template, '-o', join(folder, 'b.vocab')])
    expect(readFileSync(join(folder, 'b.vocab'), 'utf8')).toBe('vocabulary')
    expect(readdirSync(folder).sort()).toEqual(['a.vocab', 'b.vocab', 'ckpt.yaml', 'new.model', 'out.model', 'save'])
  })

  it('that fails to transfer leaves nothing, and no flag that it would not heed is taken', async () => {
    const settings = `transfer: {strict: true}
hooks: [{key: tokenizer, shell: true, transfer: 'echo part > "$CKPT_TARGET"; echo no room >&2; exit 3'}]
`
    const { folder, run } = await runWith(settings)
    const output = join(folder, 'out')
    const args = ['transfer', run, model, '--key', 'tokenizer', '-o', output]
    const { status, stderr } = await ckpt(args)
    expect([status, stderr]).toEqual([1, expect.stringMatching(/the transfer hook failed .*\n {2}no room/) as string])
    expect(readdirSync(folder).sort()).toEqual(['ckpt.yaml', 'save'])
    const typed = await ckpt([...args, '--dtype', 'F16'])
    expect([typed.status, typed.stderr]).toEqual([2, expect.stringContaining('--dtype: ') as string])
  })

  it('transfers a file into a new run, before one that loads', async () => {
    const settings = `hooks:
  - {key: tokenizer, transfer: "sh -c 'tr o 0 < \\"$0\\" > \\"$1\\"' {source} {target}", load: "false"}
`
    const { folder, run } = await runWith(settings)
    const into = join(folder, 'next', 'save')
    const { status, stderr } = await ckpt(['recover', run, '--into', into, '--link', 'hard'])
    expect([status, stderr]).toEqual([0, ''])
    const [name = ''] = readdirSync(into)
    expect(readFileSync(join(into, name, 'tokenizer.ckpt'), 'utf8')).toBe('0ld')
  })
})

/** A folder with settings, and in it a run whose checkpoint has a tokenizer that says `old`. */
async function runWith(settings: string): Promise<{ folder: string; run: string }> {
  const folder = temporaryDirectory()
  const run = join(folder, 'save')
  writeFileSync(join(folder, 'ckpt.yaml'), settings)
  const { status } = await ckpt(['save', run, '--file', 'tokenizer=-', '--meta', 'epoch=1'], { input: 'old' })
  expect(status).toBe(0)
  return { folder, run }
}
