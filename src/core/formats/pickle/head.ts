/** The opcode PROTO, with the protocol behind it (Lib/pickle.py): every pickle of protocol 2 to 5 begins so. */
const proto = 0x80

export function isPickle(head: Uint8Array): boolean {
  const [first, protocol = 0] = head
  return first === proto && protocol >= 2 && protocol <= 5
}
