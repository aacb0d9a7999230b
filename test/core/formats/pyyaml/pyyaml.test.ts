import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadPyYaml, parsePlain, parsePyYaml } from '../../../../src/core/formats/pyyaml/index.js'
import { asOracle, type OracleValue } from './oracle.js'

const fixtures = fileURLToPath(new URL('../../../fixtures/pyyaml/', import.meta.url))
const expected = JSON.parse(readFileSync(`${fixtures}expected.json`, 'utf8')) as {
  files: { file: string; value: OracleValue }[]
}

describe('what PyYAML dumped', () => {
  it.each(expected.files)('$file is read as PyYAML reads it', async ({ file, value }) => {
    const text = readFileSync(fixtures + file, 'utf8')
    expect(asOracle(await parsePyYaml(text))).toEqual(value)
  })

  it.each(expected.files)(
    '$file is the same on the fast path, where that knows it, and on the full one',
    async ({ file }) => {
      const text = readFileSync(fixtures + file, 'utf8')
      const parse = await loadPyYaml()
      const plain = parsePlain(text)
      if (plain !== undefined) expect(plain).toEqual(parse(text))
    },
  )
})
