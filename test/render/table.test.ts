import { describe, expect, it } from 'vitest'
import { painter } from '../../src/render/colours.js'
import { hiddenBy, lasting, renderTable, staying, type Column } from '../../src/render/table.js'
import { displayWidth } from '../../src/render/text-width.js'

interface Row {
  readonly run: string
  readonly name: string
  readonly marks: string
}

const columns: Column<Row>[] = [
  { title: 'RUN', shortens: true, cell: ({ run }) => run },
  { title: 'NAME', shortens: true, least: 28, cell: ({ name }) => name },
  { title: 'SIZE', align: 'right', leaves: 1, cell: () => '697 kB' },
  { title: 'MARKS', wraps: true, least: 14, leaves: 0.5, cell: ({ marks }) => marks },
]
const rows = [1, 2, 3].map((seed) => ({
  run: `sweep/a_long_name_of_an_experiment_in_a_group_seed${seed}_with_a_long_end/save`,
  name: `CKPT+2026-11-29+12-4${seed}-02+00`,
  marks: seed === 1 ? 'latest, best WER loss accuracy' : '',
}))

describe('a table with several columns that give way', () => {
  it.each([80, 100, 120, 200])('fits %i columns, and tells its rows apart', async (width) => {
    const lines = [...(await renderTable(columns, rows, { isTerminal: true, width, paint: painter(false) }))]
    expect(lines.filter((line) => displayWidth(line) > width)).toEqual([])
    for (const { name } of rows) expect(lines.join('\n')).toContain(name)
    for (const seed of [1, 2, 3]) expect(lines.join('\n')).toContain(`seed${seed}_`)
  })
})

describe('a table on a terminal narrower than it', () => {
  const narrow: Column<Row>[] = [
    { title: 'NAME', shortens: true, least: 28, cell: ({ name }) => name },
    staying({ title: 'a_metric_with_a_long_title', align: 'right', leaves: 1, cell: () => '1.25' }),
    { title: 'AGE', align: 'right', leaves: 0.5, cell: () => '11d' },
    { title: 'SIZE', align: 'right', leaves: 0.6, cell: () => '697 kB' },
    { title: 'MARKS', cuts: true, least: 24, leaves: 0.4, cell: ({ marks }) => marks },
  ]

  it.each([20, 30, 40, 50, 60, 70, 80])('fits %i columns, a line a row, and keeps the metric', async (width) => {
    const lines = [...(await renderTable(narrow, rows, { isTerminal: true, width, paint: painter(false) }))]
    expect(lines.filter((line) => displayWidth(line) > width)).toEqual([])
    expect(lines).toHaveLength(1 + rows.length)
    expect(lines.filter((line) => line.includes('1.25'))).toHaveLength(rows.length)
    const shown = narrow.length - hiddenBy(narrow, rows, width).columns
    expect(lines[0]?.trim().split(/ {2,}/)).toHaveLength(shown)
  })

  it('says what it cuts', () => {
    const long = [{ run: '', name: 'a', marks: 'latest, best of many, many metrics' }]
    expect(hiddenBy(narrow, long, 70)).toEqual({ columns: 0, cut: ['MARKS'] })
    expect(hiddenBy(narrow, long, 200)).toEqual({ columns: 0, cut: [] })
  })
})

describe('a table from which a wide column had to leave', () => {
  const table: Column<Row>[] = [
    { title: 'NAME', cell: () => 'a'.repeat(20) },
    { title: 'EPOCH', align: 'right', leaves: 0.8, cell: () => '3' },
    { title: 'MARKS', cuts: true, least: 24, leaves: 0.6, cell: () => 'latest, best of many, many metrics' },
  ]

  it('has the narrower ones back that left before it', async () => {
    const lines = [...(await renderTable(table, rows, { isTerminal: true, width: 40, paint: painter(false) }))]
    expect(lines[0]?.trim().split(/ {2,}/)).toEqual(['NAME', 'EPOCH'])
  })
})

describe('a table that does not fit', () => {
  const table: Column<Row>[] = [
    { title: 'RUN', shortens: true, cell: ({ run }) => run },
    { title: 'LAST JOB', leaves: 0.5, cell: () => '-' },
    { title: 'SIZE', align: 'right', leaves: 1, cell: () => '697 kB' },
    { title: 'NOTE', cell: () => '-' },
  ]
  const titlesAt = async (width: number) =>
    [...(await renderTable(table, rows, { isTerminal: true, width, paint: painter(false) }))][0]?.trim().split(/ {2,}/)

  it('has no columns that may leave and in which nothing stands', async () => {
    expect(await titlesAt(60)).toEqual(['RUN', 'SIZE', 'NOTE'])
    expect(hiddenBy(table, rows, 60).columns).toBe(1)
    expect(await titlesAt(200)).toEqual(['RUN', 'LAST JOB', 'SIZE', 'NOTE'])
  })
})

describe('a table with long titles', () => {
  const title = 'valid/librispeech_test_other/word_error_rate'
  const other = 'valid/librispeech_test_clean/word_error_rate'
  const long: Column<Row>[] = [
    { title: 'RUN', shortens: true, cell: ({ run }) => run },
    { title, align: 'right', leaves: 1, cell: () => '17.021' },
    { title: other, align: 'right', leaves: 1, cell: () => '9.438' },
    { title: 'SIZE', align: 'right', leaves: 0.5, cell: () => '697 kB' },
  ]
  const linesAt = async (table: readonly Column<Row>[], width: number) => [
    ...(await renderTable(table, rows, { isTerminal: true, width, paint: painter(false) })),
  ]

  it('shortens these before a column leaves, and keeps what differs', async () => {
    const [head = '', ...below] = await linesAt(long, 90)
    expect(head).toMatch(/test_other\/\S* +\S*test_clean\/\S* +SIZE$/)
    for (const line of [head, ...below]) expect(displayWidth(line)).toBeLessThanOrEqual(90)
    for (const [index, line] of below.entries()) expect(line).toContain(`seed${index + 1}_`)
    const wide = await linesAt(long, 200)
    expect(wide[0]).toContain(`${title}  ${other}`)
  })

  it('keeps every column that lasts, and shortens its names', async () => {
    const lines = await linesAt(long.map(lasting), 60)
    expect(lines[0]?.trim().split(/ {2,}/)).toHaveLength(long.length)
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(60)
  })
})
