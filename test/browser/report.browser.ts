/** The page of ckpt report, in Chromium. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ckpt, copyFixture, temporaryDirectory } from '../e2e/ckpt.js'
import { epochs, makeRun, nameOf } from '../e2e/runs.js'
import { barriers, open, sideways, startChromium, type Opened } from './chromium.js'

let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
})
afterAll(async () => {
  await browser.close()
})

async function reportOf(...args: string[]): Promise<string> {
  const output = join(temporaryDirectory(), 'report.html')
  const { status, stderr } = await ckpt(['report', ...args, '--output', output])
  expect(status, stderr).toBe(0)
  return output
}

/** A run with a damaged checkpoint, a journal, hyper-parameters and a policy: every part of the page has something. */
function fullRun(): string {
  const run = makeRun({ ...epochs(5), [nameOf(6)]: { 'CKPT.yaml': 'epoch: 6\nWER: .nan\n', 'model.ckpt': '' } })
  writeFileSync(join(run, 'ckpt.yaml'), 'prune: {keep: 2, min: [WER]}\n')
  writeFileSync(join(run, '..', 'hyperparams.yaml'), 'lr: 0.001\nseed: 1\n')
  const state = join(run, '..', '.ckpt', 'save')
  mkdirSync(state, { recursive: true })
  const start = {
    attempt: 1,
    reason: 'first',
    checkpoint: null,
    command: ['train'],
    host: 'here',
    pid: 7,
    started: '1',
  }
  writeFileSync(join(state, 'journal.jsonl'), `${JSON.stringify({ what: 'start', time: 1, ...start })}\n`)
  return run
}

const names = (page: Page) => page.locator('#checkpoints-table tbody th[scope=row]').allTextContents()
const header = (page: Page, title: string) => page.locator('#checkpoints-table thead button', { hasText: title })

async function expectQuiet({ requests, complaints }: Opened): Promise<void> {
  expect(requests).toEqual([])
  expect(complaints).toEqual([])
}

describe.each([
  ['one run with all that there can be', () => [fullRun()]],
  ['many runs', () => ['-r', copyFixture('runs/frameworks'), '--keep', '1']],
] as const)('the page of %s', (_, args) => {
  let file: string
  beforeAll(async () => {
    file = await reportOf(...args())
  })

  it.each(['light', 'dark'] as const)('keeps nobody out: %s', async (colorScheme) => {
    const opened = await open(browser, file, { colorScheme })
    for (const details of await opened.page.locator('details').all())
      await details.evaluate('(one) => { one.open = true }')
    await opened.page.locator('#checkpoints-table .unfold').first().click()
    expect(await barriers(opened.page)).toEqual([])
    await expectQuiet(opened)
    await opened.page.context().close()
  })

  it('fits a phone: 400 pixels, and nothing scrolls sideways but its tables', async () => {
    const opened = await open(browser, file, { viewport: { width: 400, height: 800 }, isMobile: true, hasTouch: true })
    await opened.page.locator('#checkpoints-table .unfold').first().click()
    expect(await sideways(opened.page)).toBe(0)
    expect(await barriers(opened.page)).toEqual([])
    await expectQuiet(opened)
    await opened.page.context().close()
  })

  it('has every control on the way of the Tab key', async () => {
    const { page } = await open(browser, file)
    const all = await page.evaluate<string[]>(
      `[...document.querySelectorAll('a, button, input, select, summary, [tabindex]')]
        .filter((one) => one.checkVisibility() && !one.disabled)
        .map((one, index) => { one.dataset.control = index; return String(index) })`,
    )
    const reached = new Set<string>()
    for (let step = 0; step < all.length + 5; step++) {
      await page.keyboard.press('Tab')
      reached.add(await page.evaluate<string>('document.activeElement.dataset.control ?? ""'))
    }
    expect(all.filter((one) => !reached.has(one))).toEqual([])
    await page.context().close()
  })
})

it('the table of runs shows those that have the words, the settings and the best values asked for', async () => {
  const root = temporaryDirectory()
  for (const seed of [1, 2, 3]) {
    const run = makeRun(epochs(seed + 1), join(root, `seed${seed}`, 'save'))
    writeFileSync(join(run, '..', 'hyperparams.yaml'), `lr: 0.00${seed}\n`)
  }
  const { page } = await open(browser, await reportOf('-r', root))
  const shown = () => page.locator('#runs-table tbody th').allTextContents()
  const filter = page.getByLabel('Only runs with')
  expect(await shown()).toHaveLength(3)
  await filter.fill('seed2')
  expect(await shown()).toEqual([expect.stringContaining('seed2')])
  await filter.fill('lr > 0.001, epoch <= 3')
  expect(await shown()).toEqual([expect.stringContaining('seed2')])
  await filter.fill('WER < 97')
  expect(await shown()).toEqual([expect.stringContaining('seed3')])
  await page.context().close()
})

describe('the table of checkpoints', () => {
  it('sorts by a column both ways, values that are none last', async () => {
    const { page } = await open(browser, await reportOf(fullRun()))
    await header(page, 'WER').click()
    const up = await page.locator('#checkpoints-table tbody tr').allTextContents()
    expect(up.map((text) => /ep(\d{3})/.exec(text)?.[1])).toEqual(['005', '004', '003', '002', '001', '006'])
    expect(await page.locator('#checkpoints-table th[aria-sort]').getAttribute('aria-sort')).toBe('ascending')
    // By keyboard: the focus is still on the column.
    await page.keyboard.press('Enter')
    const down = await page.locator('#checkpoints-table tbody tr').allTextContents()
    expect(down.map((text) => /ep(\d{3})/.exec(text)?.[1])).toEqual(['001', '002', '003', '004', '005', '006'])
    await page.context().close()
  })

  it('filters by words, by comparisons, and by what the policy says', async () => {
    const { page } = await open(browser, await reportOf(fullRun()))
    const filter = page.getByLabel('Filter')
    await filter.fill('WER < 97, epoch >= 4')
    expect(await names(page)).toEqual([expect.stringContaining(nameOf(5)), expect.stringContaining(nameOf(4))])
    await filter.fill('latest')
    expect(await names(page)).toHaveLength(1)
    await filter.fill('no such word')
    expect(await names(page)).toEqual([])
    await filter.fill('')
    await page.getByLabel('Show').selectOption('goes')
    expect((await names(page)).length).toBeGreaterThan(0)
    expect(await page.locator('#checkpoints-table').getByText('stays', { exact: true }).count()).toBe(0)
    await page.context().close()
  })

  it('unfolds a row to its meta, files and reasons, with the keyboard too', async () => {
    const { page } = await open(browser, await reportOf(fullRun()))
    const row = page.locator('#checkpoints-table tbody tr', { hasText: nameOf(4) })
    await row.locator('.unfold').focus()
    await page.keyboard.press('Enter')
    const details = page.locator('#checkpoints-table tr.details')
    expect(await details.textContent()).toMatch(/WER96\.5.*file model/)
    await page.keyboard.press('Enter')
    expect(await details.count()).toBe(0)
    await page.context().close()
  })

  it('stays fluid with 3,000 checkpoints', async () => {
    const { page } = await open(browser, await reportOf(makeRun(epochs(3000))))
    expect(await page.locator('#checkpoints-table tbody tr').count()).toBe(100)
    const took = await page.evaluate<number>(`(async () => {
      const began = performance.now()
      document.querySelector('#checkpoints-table thead th:nth-child(4) button').click()
      await new Promise((resolve) => requestAnimationFrame(resolve))
      return performance.now() - began
    })()`)
    // Some 30 ms on a machine with nothing else to do.
    expect(took).toBeLessThan(1500)
    await page.getByRole('button', { name: 'Next rows' }).first().click()
    expect(await page.locator('#checkpoints [role=status]').last().textContent()).toBe('101 to 200 of 3000')
    await page.context().close()
  })

  it('is printed with all its rows, on white', async () => {
    const { page } = await open(browser, await reportOf(makeRun(epochs(150))), { colorScheme: 'dark' })
    await page.emulateMedia({ media: 'print' })
    await page.evaluate('window.dispatchEvent(new Event("beforeprint"))')
    expect(await names(page)).toHaveLength(150)
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)')
    await page.context().close()
  })
})

describe('the curves', () => {
  it('tell the values at the pointer, and at the arrow keys', async () => {
    const { page } = await open(browser, await reportOf(fullRun()))
    await page.getByLabel('Metric').selectOption('WER')
    const box = await page.locator('.u-over').boundingBox()
    if (box === null) throw new Error('there is no chart')
    await page.mouse.move(box.x + 2, box.y + 20)
    expect(await page.locator('.tip').textContent()).toBe(`epoch 1WER 99.5 (${nameOf(1)})`)
    await page.locator('.chart').focus()
    await page.keyboard.press('End')
    await page.keyboard.press('ArrowLeft')
    expect(await page.locator('#curves [role=status]').textContent()).toMatch(/WER \d+\.5 \(CKPT\+ep00\d\)/)
    await page.context().close()
  })

  it('zoom, and show all again', async () => {
    const { page } = await open(browser, await reportOf(makeRun(epochs(30))))
    const wide = await page.locator('.chart').screenshot()
    await page.getByRole('button', { name: 'Zoom in' }).click()
    await page.waitForTimeout(100)
    expect((await page.locator('.chart').screenshot()).equals(wide)).toBe(false)
    await page.getByRole('button', { name: 'Show all' }).click()
    await page.waitForTimeout(100)
    expect((await page.locator('.chart').screenshot()).equals(wide)).toBe(true)
    await page.context().close()
  })

  it('tell what has no place on a logarithmic scale', async () => {
    const run = makeRun({ ...epochs(3), [nameOf(4)]: 'epoch: 4\nunixtime: 1700090000.0\nWER: 0.0\n' })
    const { page } = await open(browser, await reportOf(run))
    await page.getByLabel('Metric').selectOption('WER')
    await page.getByLabel('logarithmic').check()
    expect(await page.locator('#curves').textContent()).toContain('1 value is not above 0')
    await page.context().close()
  })
})

it('the switch of colours wins over the system, and back', async () => {
  const { page } = await open(browser, await reportOf(makeRun(epochs(2))), { colorScheme: 'light' })
  const paper = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
  expect(await paper()).toBe('rgb(255, 255, 255)')
  await page.getByLabel('Colours').selectOption('dark')
  expect(await paper()).toBe('rgb(13, 17, 23)')
  await page.getByLabel('Colours').selectOption('auto')
  expect(await paper()).toBe('rgb(255, 255, 255)')
  await page.context().close()
})

it('what names and metas say is text: no element, no script, no request, and no change of direction', async () => {
  const wild = [
    '<script>alert(1)</script>',
    '</script><script>alert(2)</script>',
    '"onload="alert(3)',
    '<img src=x onerror=alert(4)>',
    'javascript:alert(5)',
    '\u202eabc\u2066',
  ]
  const meta = wild.map((text) => `${JSON.stringify(text)}: ${JSON.stringify(text)}\n`).join('')
  const numbers = wild.map((text) => `${JSON.stringify(`n${text}`)}: 1.5\n`).join('')
  const run = makeRun(
    Object.fromEntries(
      wild.map((text, index) => [
        `CKPT+${text.replaceAll('/', '∕')}`,
        `epoch: ${index}\nunixtime: ${1_700_000_000 + index}.0\n${meta}${numbers.replaceAll('1.5', String(index))}`,
      ]),
    ),
    join(temporaryDirectory(), `x"><script>alert(6)<`, 'save'),
  )
  const opened = await open(browser, await reportOf(run, '--keep', '1', '--where', 'epoch > 1'))
  for (const toggle of await opened.page.locator('#checkpoints-table .unfold').all()) await toggle.click()
  await opened.page.locator('.chart').focus()
  await opened.page.keyboard.press('End')
  expect(await opened.page.locator('script').count()).toBe(2)
  expect(await opened.page.locator('img').count()).toBe(0)
  const text = await opened.page.evaluate<string>('document.body.innerText')
  expect(text).toContain('<script>alert(1)')
  expect(text).toContain('\\u202eabc')
  expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/)
  await expectQuiet(opened)
  await opened.page.context().close()
})
