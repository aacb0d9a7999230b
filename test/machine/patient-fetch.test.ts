import { afterEach, beforeEach, expect, it } from 'vitest'
import { requestSuccess } from '../../src/core/pretrain/download/index.js'
import { patientFetch } from '../../src/machine/patient-fetch.js'
import { Loopback } from '../loopback.js'

let server: Loopback

beforeEach(async () => {
  server = await Loopback.start()
})
afterEach(() => server.stop())

it('gives an answer whose status no Response can be made with, which is refused by that status', async () => {
  const url = server.on('/a', (_, response) => {
    response.socket?.end('HTTP/1.1 999 Blocked\r\nContent-Length: 2\r\n\r\nno')
  })
  const network = { fetch: patientFetch, wait: () => Promise.resolve() }
  await expect(requestSuccess(network, { url })).rejects.toThrow(`${url}: the server answered 999 Blocked`)
})
