/** What a server says of a file without sending it. */
import type { Network, Resource } from './network.js'
import { persistently, requestSuccess } from './request.js'
import { readAnswer } from './response-headers.js'

export interface Probed {
  /** Bytes; null when the server does not say. */
  readonly size: number | null
  /** Another one means another file; null when the server does not say. */
  readonly validator: string | null
  /** False for a server that sends the whole when it is asked for a part. */
  readonly ranges: boolean
}

/** Asks for one byte: addresses that are signed for GET refuse HEAD. Throws as `download` does. */
export async function probe(network: Network, resource: Resource, signal?: AbortSignal): Promise<Probed> {
  const response = await persistently(
    network,
    () => requestSuccess(network, resource, { headers: { range: 'bytes=0-0' }, signal }, [416]),
    signal,
  )
  await response.body?.cancel()
  const { total, validator } = readAnswer(response)
  return { size: total, validator, ranges: response.status !== 200 }
}
