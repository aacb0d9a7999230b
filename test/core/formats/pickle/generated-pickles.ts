/** Pickles that call something, each callable in each way in which a pickle can call. */

const dangerous = `os system|posix system|subprocess Popen|builtins eval|builtins exec|runpy run_path|webbrowser open|pty spawn
ctypes CDLL|importlib import_module|socket create_connection|shutil rmtree`
const plain = `collections OrderedDict|torch device|datetime datetime|argparse Namespace|numpy dtype
torch._utils _rebuild_tensor_v2`

export const dangerousNames = dangerous.split(/[|\n]/)
export const plainNames = plain.split(/[|\n]/)

/** What is given to the call. */
const text = 'X\x01\0\0\0x'

function short(value: string): string {
  return `\x8c${String.fromCharCode(value.length)}${value}`
}

/** CPython Lib/pickle.py names the opcodes. */
const ways: Readonly<Record<string, (module: string, name: string) => string>> = {
  'GLOBAL and REDUCE': (module, name) => `\x80\x02c${module}\n${name}\n(${text}tR.`,
  'text of protocol 0': (module, name) => `c${module}\n${name}\n(S'x'\ntR.`,
  STACK_GLOBAL: (module, name) => `\x80\x04${short(module)}${short(name)}\x93(${text}tR.`,
  INST: (module, name) => `\x80\x02(${text}i${module}\n${name}\n.`,
  OBJ: (module, name) => `\x80\x02(c${module}\n${name}\n${text}o.`,
  NEWOBJ: (module, name) => `\x80\x02c${module}\n${name}\n(${text}t\x81.`,
  NEWOBJ_EX: (module, name) => `\x80\x04c${module}\n${name}\n(${text}t}\x92.`,
  'out of the memo': (module, name) => `\x80\x02c${module}\n${name}\nq\x000h\x00(${text}tR.`,
  'out of the memo by a long number': (module, name) =>
    `\x80\x02c${module}\n${name}\nr\0\0\x01\x000j\0\0\x01\0(${text}tR.`,
  'STACK_GLOBAL of memoized names': (module, name) =>
    `\x80\x04${short(module)}\x94${short(name)}\x9400h\0h\x01\x93(${text}tR.`,
  'within a list': (module, name) => `\x80\x02]c${module}\n${name}\n(${text}tRa.`,
  'as a value of a dict': (module, name) => `\x80\x02}${text}c${module}\n${name}\n(${text}tRs.`,
  'thrown away': (module, name) => `\x80\x02c${module}\n${name}\n(${text}tR0N.`,
  'within a frame': (module, name) => {
    const body = `c${module}\n${name}\n(${text}tR.`
    return `\x80\x04\x95${String.fromCharCode(body.length)}\0\0\0\0\0\0\0${body}`
  },
}

/** By what it calls and how, as `os system by INST`. */
export function generatedPickles(names: readonly string[]): ReadonlyMap<string, Buffer> {
  return new Map(
    names.flatMap((one) => {
      const [module = '', name = ''] = one.split(' ')
      return Object.entries(ways).map(
        ([way, make]) => [`${one} by ${way}`, Buffer.from(make(module, name), 'latin1')] as const,
      )
    }),
  )
}

/** The plainest call of that name. */
export function callOf(one: string): Buffer {
  const [module = '', name = ''] = one.split(' ')
  return Buffer.from(ways['GLOBAL and REDUCE']?.(module, name) ?? '', 'latin1')
}
