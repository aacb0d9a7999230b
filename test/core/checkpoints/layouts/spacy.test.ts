import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture } from './folders.js'

// spaCy 3.8 then says `Can't read file: …/vocab/strings.json`, or `No such file or directory`; the other files of a vocabulary it does without.
it.each([
  ['vocab/strings.json', 'partial'],
  ['tokenizer', 'partial'],
  ['tagger/model', 'partial'],
  ['vocab/vectors.cfg', 'unchecked'],
  ['vocab/lookups.bin', 'unchecked'],
])('a pipeline without its %s is %s', async (file, grade) => {
  const root = copyFixture('frameworks/spacy/run')
  rmSync(join(root, 'model-last', file))
  const { checkpoints } = await loadRun(localStorage(), root)
  const found = checkpoints.find(({ name }) => name === 'model-last')
  expect(found?.health.grade).toBe(grade)
  expect(found?.health.findings.map((one) => one.file)).toEqual(grade === 'partial' ? [file] : [])
})
