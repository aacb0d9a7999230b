import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  digestOf,
  download,
  persistently,
  probe,
  request,
  requestSuccess,
  type Network,
  type Remote,
} from '../../../../src/core/pretrain/download/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { faultyStorage, Stopped } from '../../../faulty-storage.js'
import { Loopback, serve, type Served } from '../../../loopback.js'

const storage = localStorage()
let folder = ''
let server: Loopback
let waited: number[] = []

const network: Network = {
  fetch,
  wait: async (milliseconds) => {
    waited.push(milliseconds)
  },
}

beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-download-'))
  server = await Loopback.start()
  waited = []
})
afterEach(async () => {
  await server.stop()
  fs.rmSync(folder, { recursive: true })
})

const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff)
const sha256 = (of: Uint8Array) => createHash('sha256').update(of).digest('hex')
const at = () => join(folder, 'part')

function remote(url: string, more: Partial<Remote> = {}): Remote {
  return { resource: { url }, size: null, digest: null, ...more }
}

const known = (url: string) => remote(url, { digest: { algorithm: 'sha256', value: sha256(bytes) } })

/** The digest of what came. */
async function fetched(what: Remote, work = {}): Promise<string> {
  await download(storage, network, what, at(), work)
  return sha256(fs.readFileSync(at()))
}

describe('a download', () => {
  it('is whole, and told on its way', async () => {
    const steps: number[] = []
    const url = server.on('/model.ckpt', { bytes, etag: '"a"' })
    const onProgress = (done: number, total: number) => {
      expect(total).toBe(bytes.length)
      steps.push(done)
    }
    expect(await fetched(remote(url), { onProgress })).toBe(sha256(bytes))
    expect(steps.at(-1)).toBe(bytes.length)
    expect(server.asked).toEqual(['/model.ckpt'])
  })

  it('goes on where the connection broke off', async () => {
    const url = server.on('/model.ckpt', { bytes, etag: '"a"', breaks: [100_000, 150_000] })
    expect(await fetched(remote(url))).toBe(sha256(bytes))
    expect(server.asked).toEqual(['/model.ckpt', '/model.ckpt bytes=100000-', '/model.ckpt bytes=250000-'])
    expect(server.seen[1]?.headers['if-range']).toBe('"a"')
  })

  it('begins anew where the server takes no ranges', async () => {
    const url = server.on('/model.ckpt', { bytes, etag: '"a"', ranges: false, breaks: [100_000] })
    expect(await fetched(remote(url))).toBe(sha256(bytes))
  })

  it('begins anew where nothing says that the rest belongs to what came', async () => {
    const url = server.on('/model.ckpt', { bytes, breaks: [100_000] })
    expect(await fetched(remote(url))).toBe(sha256(bytes))
    expect(server.asked).toEqual(['/model.ckpt', '/model.ckpt'])
  })

  it('goes on without a tag where the digest will tell', async () => {
    const url = server.on('/model.ckpt', { bytes, breaks: [100_000] })
    expect(await fetched(known(url))).toBe(sha256(bytes))
    expect(server.asked).toEqual(['/model.ckpt', '/model.ckpt bytes=100000-'])
  })

  it.each(['gzip', 'br', 'deflate', 'x-gzip', 'identity, gzip', 'zstd'])(
    'that is compressed unasked is refused, and nothing is left: %s',
    async (coding) => {
      const url = server.on('/model.ckpt', (_, response) => {
        response.writeHead(200, { 'content-encoding': coding, 'content-length': 200 }).end(Buffer.alloc(200))
      })
      await expect(fetched(remote(url))).rejects.toMatchObject({
        code: 'damaged',
        message: `${url}: the server compressed its answer (content-encoding: ${coding}), and was asked not to`,
      })
      expect(fs.readdirSync(folder)).toEqual([])
    },
  )

  it.each([
    ['a status of 99', 'HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n', 'a status below 100'],
    ['no status line', 'ICY 200 OK\r\n\r\n', 'HPE_'],
    ['a length below 0', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc', 'HPE_INVALID_CONTENT_LENGTH'],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde',
      'HPE_UNEXPECTED_CONTENT_LENGTH',
    ],
    ['headers without end', `HTTP/1.1 200 OK\r\n${'X: a\r\n'.repeat(20_000)}\r\n`, 'too many headers'],
  ])('whose answer has %s is not tried again, and says what is wrong', async (_, answer, reason) => {
    const url = server.on('/a', (_request, response) => {
      response.socket?.end(answer)
    })
    await expect(persistently(network, () => fetched(remote(url)))).rejects.toMatchObject({
      code: 'system',
      message: expect.stringMatching(`not HTTP: .*${reason}`) as string,
    })
    expect(waited).toEqual([])
  })

  it('that is compressed on its way is refused: it would be kept so', async () => {
    const url = server.on('/model.ckpt', (_, response) => {
      response.socket?.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
    })
    await expect(fetched(remote(url))).rejects.toMatchObject({
      code: 'damaged',
      message: `${url}: the server compressed its answer (transfer-encoding: gzip, chunked), and was asked not to`,
    })
    expect(fs.readdirSync(folder)).toEqual([])
  })

  it('that is too large for the disk is reported before it comes', async () => {
    const size = 999_999_999_999_999
    const url = server.on('/model.ckpt', (_, response) => {
      response.writeHead(200, { 'content-length': String(size) }).write('x')
    })
    await expect(fetched(remote(url))).rejects.toMatchObject({
      code: 'system',
      message: expect.stringMatching(
        `^${url}: ${size} bytes are still to come, and \\d+ are free where they go`,
      ) as string,
    })
  })

  it.each([
    ['to plain http elsewhere', 'http://models.example/x', 'plain http'],
    ['to another protocol', 'file:///etc/passwd', 'not a web address'],
    ['to a password', 'https://u:p@models.example/x', 'password'],
  ])('is not led %s', async (_, location, why) => {
    const url = server.on('/model.ckpt', (_, response) => void response.writeHead(302, { location }).end())
    await expect(fetched(remote(url))).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(why) as string,
    })
  })

  it('is not led into this machine by a server elsewhere, unless --insecure says so', async () => {
    const inside = server.on('/secret', { bytes })
    const asked: string[] = []
    const elsewhere: Network = {
      ...network,
      fetch: (url, options) => {
        asked.push(url)
        if (url.startsWith(server.origin)) return fetch(url, options)
        return Promise.resolve(new Response(null, { status: 307, headers: { location: inside } }))
      },
    }
    const what = remote('https://models.example/x')
    await expect(download(storage, elsewhere, what, at())).rejects.toMatchObject({ code: 'refused' })
    expect(asked).toEqual(['https://models.example/x'])
    await download(storage, { ...elsewhere, insecure: true }, what, at())
    expect(sha256(fs.readFileSync(at()))).toBe(sha256(bytes))
  })

  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '[::]',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::127.0.0.9]',
    '127.1',
    'localhost.',
    'a.localhost',
  ])('is not led into this machine as %s either', async (host) => {
    const location = `https://${host}/secret`
    const elsewhere: Network = {
      ...network,
      fetch: () => Promise.resolve(new Response(null, { status: 302, headers: { location } })),
    }
    await expect(download(storage, elsewhere, remote('https://models.example/x'), at())).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('the server redirects to this machine') as string,
    })
  })

  it.each([
    [206, { 'content-range': 'bytes 0-2/3' }],
    [206, { 'content-range': 'bytes 2-0/3' }],
    [204, {}],
  ])('in a part that nobody asked for ends at once (%d, %o)', async (status, headers) => {
    const url = server.on('/model.ckpt', (_, response) => void response.writeHead(status, headers).end())
    await expect(fetched(remote(url))).rejects.toMatchObject({
      code: 'system',
      message: `${url}: the server answered ${status} where the whole file was asked for`,
    })
    expect(server.seen).toHaveLength(1)
  })

  it.each([
    ['that is honest', true],
    ['that takes no heed of If-Range', false],
  ])('never mixes two files on a server %s', async (_, honest) => {
    const newer = bytes.map((byte) => byte ^ 0xff)
    let count = 0
    const url = server.on('/model.ckpt', (asked, response) => {
      count += 1
      if (!honest) delete asked.headers['if-range']
      serve(count === 1 ? { bytes, etag: '"a"', breaks: [100_000] } : { bytes: newer, etag: '"b"' }, asked, response)
    })
    expect(await fetched(remote(url))).toBe(sha256(newer))
  })

  it('gives up after five tries that come no farther, and the next call goes on', async () => {
    const url = server.on('/model.ckpt', { bytes, etag: '"a"', breaks: [100_000, 0, 0, 0, 0, 0, 0] })
    await expect(fetched(remote(url))).rejects.toMatchObject({
      code: 'system',
      message: expect.stringContaining('broke off after 100000 of 300000 bytes') as string,
      hint: 'try again later: what has come so far (100000 bytes) is kept',
    })
    expect(waited).toEqual([1000, 2000, 4000, 8000])
    server.on('/model.ckpt', { bytes, etag: '"a"' })
    expect(await fetched(remote(url))).toBe(sha256(bytes))
    expect(server.asked.at(-1)).toBe('/model.ckpt bytes=100000-')
  })

  it('gives up where each try brings a few bytes: none would be the last', async () => {
    const url = server.on('/model.ckpt', { bytes, etag: '"a"', breaks: Array<number>(300).fill(1000) })
    await expect(fetched(remote(url))).rejects.toMatchObject({ code: 'system' })
    expect(server.seen.length).toBe(5)
  })

  it.each([
    ['a server that sends no parts', { etag: '"a"', ranges: false }, { ranges: false }, 'this server sends no part'],
    ['a file without a tag', {}, { ranges: true }, 'nothing says that the file stays the same'],
  ])('of %s says that it begins again, and keeps nothing', async (_, served, known, why) => {
    const url = server.on('/model.ckpt', { bytes, ...served, breaks: [100_000, 1000, 1000, 1000, 1000, 1000] })
    await expect(fetched(remote(url, known))).rejects.toMatchObject({
      code: 'system',
      hint: expect.stringMatching(`^try again later: it begins again, for ${why}`) as string,
    })
    expect(fs.readdirSync(folder)).toEqual([])
    server.on('/model.ckpt', { bytes, ...served, breaks: [100_000] })
    const controller = new AbortController()
    const onProgress = (done: number) => done >= 50_000 && controller.abort()
    await expect(fetched(remote(url, known), { signal: controller.signal, onProgress })).rejects.toMatchObject({
      code: 'interrupted',
      message: expect.stringContaining(`begins again with the next call, for ${why}`) as string,
    })
    expect(fs.readdirSync(folder)).toEqual([])
  })

  it('needs no request when all is there already and the digest tells', async () => {
    const url = server.on('/model.ckpt', { bytes, etag: '"a"' })
    await download(storage, network, known(url), at())
    const count = server.seen.length
    expect(await fetched({ ...known(url), size: bytes.length })).toBe(sha256(bytes))
    expect(server.seen.length).toBe(count)
  })

  it('asks only whether it has changed when all is there and no digest tells', async () => {
    const url = server.on('/model.ckpt', { bytes, etag: '"a"' })
    await download(storage, network, remote(url), at())
    expect(await fetched(remote(url))).toBe(sha256(bytes))
    expect(server.asked.at(-1)).toBe('/model.ckpt bytes=300000-')
  })

  it('stops at an interruption, keeps what came, and goes on the next time', async () => {
    const url = server.on('/model.ckpt', { bytes, etag: '"a"', breaks: [100_000] })
    const controller = new AbortController()
    const onProgress = (done: number) => {
      if (done >= 100_000) controller.abort()
    }
    await expect(fetched(remote(url), { signal: controller.signal, onProgress })).rejects.toMatchObject({
      code: 'interrupted',
    })
    expect(fs.statSync(at()).size).toBe(100_000)
    expect(await fetched(remote(url))).toBe(sha256(bytes))
    expect(server.asked.at(-1)).toBe('/model.ckpt bytes=100000-')
  })

  it('goes on after a stop at any call of the file system', async () => {
    const served = (): Served => ({ bytes, etag: '"a"', breaks: [100_000] })
    const counting = faultyStorage(storage)
    const url = server.on('/model.ckpt', served())
    await download(counting.storage, network, remote(url), at())
    expect(counting.calls.length).toBeGreaterThan(8)
    for (let failAt = 1; failAt <= counting.calls.length; failAt += 1) {
      for (const name of fs.readdirSync(folder)) fs.unlinkSync(join(folder, name))
      server.on('/model.ckpt', served())
      const faulty = faultyStorage(storage, { failAt, then: 'stops' })
      await expect(download(faulty.storage, network, remote(url), at())).rejects.toThrow(Stopped)
      expect(await fetched(remote(url))).toBe(sha256(bytes))
    }
  })
})

describe('what a server says of a file', () => {
  it.each<[string, Served, Partial<Remote>, RegExp]>([
    ['another size than was known', { bytes }, { size: 12 }, /300000 bytes, and 12 were expected/],
    ['a page to log in', { bytes, headers: { 'content-type': 'text/html; charset=utf-8' } }, {}, /a web page/],
    ['a page of another spelling', { bytes, headers: { 'content-type': 'Text/HTML' } }, {}, /a web page/],
    ['nothing at all', { bytes: new Uint8Array(0) }, {}, /sent 0 bytes/],
    [
      'another digest',
      { bytes },
      { digest: { algorithm: 'sha256', value: '0'.repeat(64) } },
      new RegExp(`SHA-256 is ${sha256(bytes)}, and 0{64} was expected`),
    ],
    [
      'another git hash',
      { bytes: new TextEncoder().encode('hello\n') },
      { digest: { algorithm: 'git', value: '0'.repeat(40) } },
      /git hash is ce013625030ba8dba906f756967f9e9ca394464a, and 0{40} was expected/,
    ],
  ])('%s is reported with both values, and nothing is kept', async (_, served, more, message) => {
    const url = server.on('/model.ckpt', served)
    await expect(fetched(remote(url, more))).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(message) as string,
    })
    expect(fs.readdirSync(folder)).toEqual([])
  })

  it('more than it claims is never taken', async () => {
    const url = server.on('/model.ckpt', (_, response) => void response.writeHead(200).end(Buffer.from(bytes)))
    await expect(fetched(remote(url, { size: 12 }))).rejects.toMatchObject({ code: 'damaged' })
  })

  it.each([
    ['and says so', { 'content-length': String(bytes.length) }],
    ['and does not say how large it is', {}],
  ])('larger than such a file can be, %s, is never taken whole', async (_, headers) => {
    const url = server.on(
      '/i.index.json',
      (_, response) => void response.writeHead(200, headers).end(Buffer.from(bytes)),
    )
    await expect(fetched(remote(url, { most: 1000 }))).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('more than the 1000 bytes that such a file can have') as string,
    })
    expect(fs.readdirSync(folder)).toEqual([])
  })

  it('less than it claims is a broken connection', async () => {
    const url = server.on('/model.ckpt', (_, response) => {
      response.writeHead(200, { 'content-length': '300001' })
      response.write(Buffer.from(bytes), () => response.destroy())
    })
    await expect(fetched(remote(url))).rejects.toMatchObject({
      code: 'system',
      message: expect.stringContaining('of 300001 bytes') as string,
    })
  })

  it('is its size, asked with one byte', async () => {
    expect(await probe(network, { url: server.on('/a', { bytes, etag: '"a"' }) })).toEqual({
      size: 300_000,
      validator: '"a"',
      ranges: true,
    })
    expect(await probe(network, { url: server.on('/b', { bytes, ranges: false }) })).toMatchObject({
      size: 300_000,
      ranges: false,
    })
    const chunked = server.on('/c', (_, response) => void response.writeHead(200).end('abc'))
    expect(await probe(network, { url: chunked })).toEqual({ size: null, validator: null, ranges: false })
  })
})

describe('a server that is busy', () => {
  it('is asked again, after as long as it wishes', async () => {
    let count = 0
    const url = server.on('/model.ckpt', (asked, response) => {
      count += 1
      if (count === 1) response.writeHead(503).end()
      else if (count === 2) response.writeHead(429, { 'retry-after': '7' }).end()
      else if (count === 3) {
        const date = new Date(0).toUTCString()
        response.writeHead(429, { date, 'retry-after': new Date(60_000).toUTCString() }).end()
      } else serve({ bytes }, asked, response)
    })
    expect(await fetched(remote(url))).toBe(sha256(bytes))
    expect(waited).toEqual([1000, 7000, 60_000])
  })

  it('is reported before each further try', async () => {
    const url = server.on('/a', (_, response) => void response.writeHead(503).end())
    const told: string[] = []
    const telling: Network = { ...network, onRetry: (what) => void told.push(what) }
    await expect(persistently(telling, () => requestSuccess(telling, { url }))).rejects.toThrow('answered 503')
    expect(told.length).toBe(4)
    expect(told.at(-1)).toBe(`${url}: the server answered 503 Service Unavailable; again in 8 s`)
  })

  it('is not waited for over hours', async () => {
    const url = server.on('/model.ckpt', (_, response) => void response.writeHead(429, { 'retry-after': '7200' }).end())
    await expect(fetched(remote(url))).rejects.toMatchObject({ code: 'system' })
    expect(waited).toEqual([])
  })

  it.each([
    [404, 'not-found'],
    [401, 'system'],
    [403, 'system'],
    [418, 'system'],
  ])('status %d ends it at once', async (status, code) => {
    const url = server.on('/model.ckpt', (_, response) => void response.writeHead(status).end())
    await expect(fetched(remote(url))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(String(status)) as string,
    })
    expect(server.seen.length).toBe(1)
  })
})

describe('a redirect', () => {
  const token = 'hf_secret'

  it('keeps the token on its own origin, and gives it to no other port, nor back', async () => {
    const other = await Loopback.start()
    const end = server.on('/end', { bytes })
    const away = other.on('/away', (_, response) => void response.writeHead(302, { location: end }).end())
    server.on('/b', (_, response) => void response.writeHead(307, { location: away }).end())
    const start = server.on('/a', (_, response) => void response.writeHead(307, { location: '/b' }).end())
    await request(network, { url: start, token })
    const sent = [...server.seen, ...other.seen].map(({ path, headers }) => [path, headers.authorization])
    await other.stop()
    expect(sent).toEqual([
      ['/a', `Bearer ${token}`],
      ['/b', `Bearer ${token}`],
      ['/end', undefined],
      ['/away', undefined],
    ])
  })

  it('that never ends is given up', async () => {
    const url = server.on('/a', (_, response) => void response.writeHead(302, { location: '/a' }).end())
    await expect(request(network, { url })).rejects.toThrow(/more than 10 redirects/)
  })

  it.each(['http://models.example/a', 'file:///etc/passwd', 'https://me:secret@models.example/a'])(
    'to %s is refused, and both addresses are told',
    async (location) => {
      const url = server.on('/a', (_, response) => void response.writeHead(302, { location }).end())
      await expect(request(network, { url })).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringMatching(/\/a: the server redirects to (http:\/\/m|file:|https:\/\/models)/) as string,
      })
    },
  )
})

describe('an address', () => {
  it.each([
    ['http://models.example/a', 'refused'],
    ['ftp://models.example/a', 'usage'],
    ['https://me:secret@models.example/a', 'usage'],
    ['model.ckpt', 'usage'],
  ])('%s is refused before anything is sent', async (url, code) => {
    const silent: Network = { ...network, fetch: () => Promise.reject(new Error('was sent')) }
    await expect(request(silent, { url })).rejects.toMatchObject({ code })
  })

  it('never shows its query', async () => {
    const url = server.on('/a', (_, response) => void response.writeHead(404).end())
    await expect(fetched(remote(`${url}?signature=secret`))).rejects.toMatchObject({
      message: expect.not.stringContaining('secret') as string,
    })
  })
})

it("a small file's git hash is git's", async () => {
  fs.writeFileSync(at(), 'hello\n')
  expect(await digestOf(storage, at(), 'git')).toEqual({
    algorithm: 'git',
    value: 'ce013625030ba8dba906f756967f9e9ca394464a',
  })
})

describe('no connection', () => {
  const failing = (code: string): Network => ({
    fetch: () => Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code }) })),
    wait: async (milliseconds) => void waited.push(milliseconds),
  })
  const failure = (code: string) =>
    probe(failing(code), { url: 'https://models.example/m' }).catch((one: unknown) => one)

  it.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', "the server's certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)"],
    ['CERT_HAS_EXPIRED', "the server's certificate has expired (CERT_HAS_EXPIRED)"],
    ['ERR_TLS_CERT_ALTNAME_INVALID', "the server's certificate is for another host (ERR_TLS_CERT_ALTNAME_INVALID)"],
  ])('for its certificate (%s) is reported as that, and not tried again', async (code, meaning) => {
    expect(await failure(code)).toMatchObject({
      code: 'system',
      message: `https://models.example/m: no connection: ${meaning}`,
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS') as string,
    })
    expect(waited).toEqual([])
  })

  it('to a host that is not there is not tried again; one that refuses is', async () => {
    expect(await failure('ENOTFOUND')).toMatchObject({ message: expect.stringContaining('there is no such host') as string }) // prettier-ignore
    expect(waited).toEqual([])
    expect(await failure('ECONNREFUSED')).toMatchObject({
      message: expect.stringContaining('nothing listens there (ECONNREFUSED)') as string,
      hint: 'try again later',
    })
    expect(waited).toEqual([1000, 2000, 4000, 8000])
  })
})
