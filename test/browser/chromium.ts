/** Pages in a Chromium without a window. */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export async function startChromium(): Promise<Browser> {
  const name = process.env['CKPT_TEST_CHROMIUM'] ?? 'chromium'
  const executablePath = isAbsolute(name) ? name : execFileSync('which', [name], { encoding: 'utf8' }).trim()
  // Chromium has no sandbox for root, and a container little shared memory.
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']
  return chromium.launch({ executablePath, args })
}

export interface Opened {
  readonly page: Page
  /** What it asked the network for, beside itself. */
  readonly requests: string[]
  /** Errors, dialogs and refusals of its security policy. */
  readonly complaints: string[]
}

/** `url` is an address or an absolute path; the page is drawn. */
export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  const address = isAbsolute(url) ? `file://${encodeURI(url)}` : url
  const requests: string[] = []
  const complaints: string[] = []
  page.on('request', (request) => {
    if (request.url() !== address) requests.push(request.url())
  })
  page.on('pageerror', ({ message }) => complaints.push(message))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.goto(address)
  await page.waitForSelector('#checkpoints-table tbody tr')
  return { page, requests, complaints }
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
  }[]
}

/** What axe-core finds that keeps people out, a line each. Its script is put in by the debugger, past the page's policy. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const { violations } = await page.evaluate('axe.run()').then((result) => result as AxeResult)
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => `${id}: ${html}: ${failureSummary}`),
  )
}

/** Wider than its window: it would scroll sideways. */
export async function sideways(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
}
