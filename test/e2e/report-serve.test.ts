/** ckpt report --serve: who gets the page, who does not, and how news come. */
import { once } from 'node:events'
import { appendFileSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { ckpt, outcomeOf, start, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun, nameOf } from './runs.js'

interface Serving {
  readonly url: URL
  readonly child: ReturnType<typeof start>
  readonly ended: ReturnType<typeof outcomeOf>
}

const serving: Serving[] = []
afterEach(async () => {
  for (const { child, ended } of serving.splice(0)) {
    child.kill('SIGKILL')
    await ended
  }
})

async function serve(run: string, ...args: string[]): Promise<Serving> {
  const child = start(['report', run, '--serve', ...args])
  const ended = outcomeOf(child)
  const first = await Promise.race([once(child.stdout, 'data'), ended])
  if (!Array.isArray(first)) throw new Error(first.stderr)
  const one = { url: new URL(String(first[0]).trim()), child, ended }
  serving.push(one)
  return one
}

interface Got {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** `path` replaces the address's own. */
function get(url: URL, { path = url.pathname, method = 'GET', headers = {} } = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: url.hostname, port: url.port, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts).toString() }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** Of the answer to these very bytes. */
async function firstLineOf(url: URL, raw: string): Promise<string> {
  const socket = connect(Number(url.port), url.hostname)
  socket.on('error', () => undefined)
  socket.write(raw)
  const [part] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return part.toString().split('\r\n')[0] ?? ''
}

/** Resolves with the first event of that name. */
function eventOf(url: URL, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const path = `${url.pathname}events`
    const asked = request({ host: url.hostname, port: url.port, path, agent: false }, (response) => {
      let text = ''
      response.on('data', (part: Buffer) => {
        text += part.toString()
        const found = new RegExp(`event: ${name}\ndata: (.*)\n`).exec(text)?.[1]
        if (found === undefined) return
        asked.destroy()
        resolve(found)
      })
    })
    asked.on('error', reject)
    asked.end()
  })
}

function save(run: string, epoch: number): void {
  mkdirSync(join(run, nameOf(epoch)))
  writeFileSync(join(run, nameOf(epoch), 'model.ckpt'), 'x')
  writeFileSync(join(run, nameOf(epoch), 'CKPT.yaml'), `epoch: ${epoch}\nWER: 1.0\nunixtime: 17000${epoch}9999.0\n`)
}

describe('ckpt report --serve', () => {
  it('serves the page at an address with a token, of this machine alone, and is kept by nobody', async () => {
    const { url } = await serve(makeRun(epochs(3)))
    expect(url.hostname).toBe('127.0.0.1')
    expect(url.pathname).toMatch(/^\/[\w-]{32}\/$/)
    const { status, headers, body } = await get(url)
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/) as string,
    })
    expect(headers).not.toHaveProperty('access-control-allow-origin')
    expect(body).toContain('<meta name="ckpt-live"')
    const data = JSON.parse((await get(url, { path: `${url.pathname}data.json` })).body) as { runs: unknown[] }
    expect(data.runs).toHaveLength(1)
  })

  it('refuses all others', async () => {
    const { url } = await serve(makeRun(epochs(1)))
    const own = url.pathname
    const wrong: [status: number, what: Parameters<typeof get>[1]][] = [
      [403, { path: '/' }],
      [403, { path: '/data.json' }],
      [403, { path: `/${'x'.repeat(32)}/` }],
      [403, { path: own.slice(0, -2) }],
      [403, { headers: { host: 'evil.example' } }],
      [403, { headers: { host: `evil.example:${url.port}` } }],
      [403, { headers: { host: '127.0.0.1:1' } }],
      [403, { headers: { origin: 'http://evil.example' } }],
      [403, { headers: { origin: 'null' } }],
      [403, { headers: { origin: `https://${url.host}` } }],
      [403, { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } }],
      [404, { path: own.slice(0, -1) }],
      [404, { path: `${own}other` }],
      [404, { path: `${own}../` }],
      [404, { path: `${own}%2e%2e/etc/passwd` }],
      [405, { method: 'POST' }],
      [405, { method: 'DELETE' }],
      [405, { method: 'OPTIONS' }],
    ]
    for (const [status, what] of wrong) {
      const got = await get(url, what)
      expect([what, got.status]).toEqual([what, status])
      expect(got.body).not.toContain('CKPT+')
      expect(got.headers['cache-control']).toBe('no-store')
    }
    // What no browser sends, and what sends it may pick another Host than we.
    const line = `GET ${own} HTTP/1`
    const host = `Host: ${url.host}`
    for (const [status, raw] of [
      [403, `${line}.0\r\n\r\n`],
      [403, `${line}.1\r\n\r\n`],
      [403, `${line}.1\r\n${host}\r\nHost: evil.example\r\n\r\n`],
      [403, `${line}.1\r\nHost: evil.example\r\n${host}\r\n\r\n`],
      [403, `GET http://evil.example${own} HTTP/1.1\r\n${host}\r\n\r\n`],
      [403, `${line}.1\r\nHost: evil.example\r\nExpect: 100-continue\r\n\r\n`],
      [403, `${line}.1\r\nHost: evil.example\r\nExpect: what\r\n\r\n`],
      [200, `${line}.0\r\n${host}\r\n\r\n`],
    ] as const) {
      expect([raw, await firstLineOf(url, raw)]).toEqual([raw, expect.stringContaining(` ${status} `) as string])
    }
    expect((await get(url, { headers: { origin: url.origin } })).status).toBe(200)
    expect((await get(url, { headers: { host: `localhost:${url.port}` } })).status).toBe(200)
    const head = await get(url, { method: 'HEAD' })
    expect([head.status, head.body]).toEqual([200, ''])
  })

  it('tells all readers of a new checkpoint within two seconds, and then has it', async () => {
    const run = makeRun(epochs(2))
    const { url } = await serve(run)
    const took: number[] = []
    for (const epoch of [3, 4, 5]) {
      await get(url, { path: `${url.pathname}data.json` })
      const news = Promise.all([eventOf(url, 'news'), eventOf(url, 'news')])
      await new Promise((resolve) => setTimeout(resolve, 300))
      const began = performance.now()
      save(run, epoch)
      await news
      took.push(performance.now() - began)
      expect((await get(url, { path: `${url.pathname}data.json` })).body).toContain(nameOf(epoch))
    }
    // The quickest of them: the machine may have much else to do.
    expect(Math.min(...took)).toBeLessThan(2000)
  })

  it('tells of a run that comes, in a folder that comes with it, and of what its job writes down', async () => {
    const root = temporaryDirectory()
    makeRun(epochs(2), join(root, 'a', 'save'))
    const { url } = await serve(root, '-r')
    const runsTold = async () => {
      const { body } = await get(url, { path: `${url.pathname}data.json` })
      return (JSON.parse(body) as { runs: { label: string }[] }).runs
    }
    expect(await runsTold()).toMatchObject([{ label: 'a/save' }])
    const came = eventOf(url, 'news')
    makeRun(epochs(2), join(root, 'b', 'c', 'save'))
    await came
    expect((await runsTold()).map(({ label }) => label)).toEqual(['a/save', 'b/c/save'])
    const state = join(root, 'a', '.ckpt', 'save')
    mkdirSync(state, { recursive: true })
    writeFileSync(join(state, 'journal.jsonl'), '')
    await runsTold()
    const wrote = eventOf(url, 'news')
    appendFileSync(join(state, 'journal.jsonl'), 'no entry, but something\n')
    await wrote
  })

  it('has on the page what came before anybody looked', async () => {
    const run = makeRun(epochs(2))
    const { url } = await serve(run)
    save(run, 3)
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect((await get(url)).body).toContain(nameOf(3))
  })

  it('answers a hundred clients at once, and beside a slow one', async () => {
    const { url } = await serve(makeRun(epochs(20)))
    const slow = connect(Number(url.port), url.hostname)
    slow.on('error', () => undefined)
    slow.pause()
    slow.write(`GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`.repeat(200))
    const half = connect(Number(url.port), url.hostname)
    half.on('error', () => undefined)
    half.write('GET / HTT')
    const all = await Promise.all(Array.from({ length: 100 }, () => get(url)))
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]))
    slow.destroy()
    half.destroy()
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('ends with %s, readers of events or not', async (signal) => {
    const { url, child, ended } = await serve(makeRun(epochs(1)))
    void eventOf(url, 'never').catch(() => undefined)
    await get(url)
    child.kill(signal)
    expect((await ended).status).toBe(0)
  })

  it('is refused for other machines without a secret of the user, and takes one that only they can read', async () => {
    const run = makeRun(epochs(1))
    for (const host of ['0.0.0.0', '::', 'example.org', '192.168.0.1']) {
      const { status, stderr } = await ckpt(['report', run, '--serve', '--host', host])
      expect([host, status]).toEqual([host, 5])
      expect(stderr).toContain('--token-file')
    }
    const file = join(temporaryDirectory(), 'token')
    writeFileSync(file, 'a-secret-of-the-user\n', { mode: 0o644 })
    expect((await ckpt(['report', run, '--serve', '--token-file', file])).status).toBe(5)
    writeFileSync(`${file}2`, 'short\n', { mode: 0o600 })
    expect((await ckpt(['report', run, '--serve', '--token-file', `${file}2`])).status).toBe(2)
    writeFileSync(`${file}3`, 'a-secret-of-the-user\n', { mode: 0o600 })
    const { url } = await serve(run, '--token-file', `${file}3`)
    expect(url.pathname).toBe('/a-secret-of-the-user/')
    const taken = await ckpt(['report', run, '--serve', '--port', url.port])
    expect([taken.status, taken.stderr]).toEqual([2, expect.stringContaining(`port ${url.port}`)])
  })

  it.runIf(process.geteuid?.() === 0)('takes no secret that is another user’s: they know it', async () => {
    const file = join(temporaryDirectory(), 'token')
    writeFileSync(file, 'a-secret-of-somebody\n', { mode: 0o600 })
    chownSync(file, 65_534, 65_534)
    const { status, stderr } = await ckpt(['report', makeRun(epochs(1)), '--serve', '--token-file', file])
    expect([status, stderr]).toEqual([5, expect.stringContaining('it belongs to user 65534')])
  })
})
