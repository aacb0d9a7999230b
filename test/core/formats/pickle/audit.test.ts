import { describe, expect, it } from 'vitest'
import { auditPickle, readCalls, readPickle } from '../../../../src/core/formats/pickle/index.js'

const text = (value: string) => Buffer.concat([Buffer.from('X'), uint32(Buffer.byteLength(value)), Buffer.from(value)])
function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`)
const tuple = (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')])
const call = (callee: Buffer, ...args: Buffer[]) => Buffer.concat([callee, tuple(...args), Buffer.from('R')])

function audit(...parts: Buffer[]) {
  return auditPickle(readPickle(Buffer.concat([Buffer.from([0x80, 2]), ...parts, Buffer.from('.')])).calls)
}

describe('a call is unsafe', () => {
  it.each([
    'os system',
    'os.path join',
    'posix system',
    'nt system',
    'subprocess Popen',
    'shutil rmtree',
    'gzip open',
    'codecs open',
    'compileall compile_dir',
    'concurrent.futures ProcessPoolExecutor',
    'wsgiref.simple_server make_server',
    'idlelib.run main',
    'platform popen',
    'pathlib Path.write_text',
    'numpy DataSource',
    'scipy.io loadmat',
    'torch.multiprocessing spawn',
    'torch.storage _load_from_bytes',
    'torch.fx.graph_module _exec_with_source',
    'sys exit',
    'io open',
    '_io FileIO',
    'socket socket',
    'webbrowser open',
    'builtins eval',
    '__builtin__ execfile',
    'builtins open',
    'builtins compile',
    'builtins __import__',
    'torch load',
    'torch.serialization load',
    'torch.serialization _legacy_load',
    'torch.jit load',
    'torch.testing._internal.common_utils TestCase.runWithPytorchAPIUsageStderr',
    'hydra.utils instantiate',
    'hydra._internal.instantiate._instantiate2 instantiate',
    'pydoc locate',
    'pkgutil resolve_name',
    'werkzeug.utils import_string',
    'lightning.pytorch.cli instantiate_class',
    'torch.hub load',
    'torch.hub load_state_dict_from_url',
    'numpy load',
    'numpy.lib.npyio load',
    'numpy.lib._npyio_impl load',
    'pickle loads',
    'joblib load',
    'pandas read_pickle',
    'importlib import_module',
    'runpy _run_code',
    'ctypes CDLL',
    'torch.serialization os.system',
    'torch.nn.functional __builtins__.eval',
  ])('when it is one of %s', (name) => {
    const [module = '', attribute = ''] = name.split(' ')
    const { unsafe, opaque } = audit(call(global(module, attribute), text('x')))
    expect(unsafe).toEqual([`calls ${module.replace('__builtin__', 'builtins')}.${attribute}`])
    expect(opaque.size).toBe(0)
  })

  it('when its result is thrown away again', () => {
    expect(audit(call(global('os', 'system'), text('x')), Buffer.from('0N')).unsafe).toEqual(['calls os.system'])
  })

  it('when getattr, partial or map is given such a function', () => {
    const getattr = call(global('builtins', 'getattr'), global('os', 'path'), text('join'))
    expect(audit(getattr).unsafe).toEqual(['hands os.path to builtins.getattr'])
    expect(audit(call(global('functools', 'partial'), global('os', 'system'))).unsafe).toEqual([
      'hands os.system to functools.partial',
    ])
  })

  it('when getattr reaches it through a harmless module', () => {
    const load = call(global('builtins', 'getattr'), global('torch', 'hub'), text('load'))
    expect(audit(load).unsafe).toEqual(['reaches for torch.hub.load'])
    const system = call(global('builtins', 'getattr'), global('torch.serialization', 'os'), text('system'))
    expect(audit(call(system, text('x'))).unsafe).toContain('calls torch.serialization.os.system')
  })

  it.each(['functools.reduce', 'functools.partial', 'builtins.map', 'types.MethodType'])(
    'when %s is given getattr itself, which leads from any class to any module',
    (caller) => {
      const [module = '', name = ''] = caller.split('.')
      const handed = call(global(module, name), global('builtins', 'getattr'), text('x'))
      expect(audit(handed).unsafe).toEqual([`hands builtins.getattr to ${caller}`])
    },
  )

  it('when it reads attributes by what getattr is made of', () => {
    const read = call(global('builtins', 'object.__getattribute__'), global('argparse', 'Namespace'), text('x'))
    expect(audit(read).unsafe).toEqual(['calls builtins.object.__getattribute__'])
  })

  it('when it calls what __import__ gave', () => {
    const os = call(global('builtins', '__import__'), text('os'))
    expect(audit(call(call(global('builtins', 'getattr'), os, text('system')), text('x'))).unsafe).toContain(
      'calls os.system',
    )
  })
})

describe('what changes a program is unsafe, though it calls nothing', () => {
  const state = Buffer.concat([Buffer.from('}'), text('forward'), global('mine', 'f'), Buffer.from('s')])
  const reached = call(global('builtins', 'getattr'), global('torch', 'nn'), text('Linear'))

  it.each([
    [
      'an item of sys.modules',
      Buffer.concat([global('sys', 'modules'), text('torch'), text('x'), Buffer.from('s')]),
      'sys.modules',
    ],
    [
      'items of os.environ',
      Buffer.concat([global('os', 'environ'), Buffer.from('('), text('A'), text('b'), Buffer.from('u')]),
      'os.environ',
    ],
    ['an item of sys.path', Buffer.concat([global('sys', 'path'), text('/tmp'), Buffer.from('a')]), 'sys.path'],
    ['what a class does', Buffer.concat([global('torch.nn', 'Linear'), state, Buffer.from('b')]), 'torch.nn.Linear'],
    ['what a class does, behind getattr', Buffer.concat([reached, state, Buffer.from('b')]), 'torch.nn.Linear'],
  ])('%s', (_, pickle, changed) => {
    const { unsafe } = auditPickle(readCalls(Buffer.concat([Buffer.from([0x80, 2]), pickle, Buffer.from('.')])))
    expect(unsafe).toEqual([`changes ${changed}`])
  })
})

describe('what is made to be looked at for long', () => {
  it('is unsafe where more attributes lead on than any checkpoint needs', () => {
    const path = `${'serialization.torch.'.repeat(20)}serialization.os.system`
    expect(audit(call(global('torch', path), text('x'))).unsafe).toEqual([
      `calls torch.${'serialization.torch.'.repeat(8)}…`,
    ])
    let at = global('torch', 'serialization')
    for (let level = 0; level < 20; level += 1) at = call(global('builtins', 'getattr'), at, text('serialization'))
    at = call(global('builtins', 'getattr'), call(global('builtins', 'getattr'), at, text('os')), text('system'))
    expect(audit(call(at, text('x'))).unsafe.join()).toMatch(/^reaches for torch\.serialization.*…/)
  })

  it('has its first names told, and the rest counted', () => {
    const calls = Array.from({ length: 1200 }, (_, index) => call(global('a', `f${index}`)))
    const { opaque } = audit(tuple(...calls))
    expect([opaque.size, opaque.get('a.f999'), opaque.get('(others)')]).toEqual([1001, 1, 200])
  })

  it('is given up where it is a finding over and over', () => {
    const calls = Array.from({ length: 3000 }, (_, index) => call(global('os', `f${index}`)))
    expect(audit(tuple(...calls)).unsafe).toHaveLength(100)
  })

  it('is told by names of which no more than their beginnings are shown', () => {
    expect([...audit(call(global('a'.repeat(1000), 'b'))).opaque.keys()]).toEqual([`${'a'.repeat(200)}….b`])
  })
})

describe('a call is reported as opaque, and no more', () => {
  it.each([
    '__main__ Net',
    'mypackage.io Reader',
    'code.models Net',
    'http HTTPStatus',
    'functools partial',
    'sklearn.preprocessing StandardScaler',
    'transformers.training_args TrainingArguments',
    '__main__ load',
  ])('%s', (name) => {
    const [module = '', attribute = ''] = name.split(' ')
    const made = call(global(module, attribute))
    const { unsafe, opaque } = audit(made, made, Buffer.from([0x86]))
    expect(unsafe).toEqual([])
    expect([...opaque]).toEqual([[`${module}.${attribute}`, 2]])
  })

  it('but not what torch, numpy and Python write everywhere', () => {
    const { unsafe, opaque } = audit(call(global('collections', 'OrderedDict')))
    expect([unsafe, opaque.size]).toEqual([[], 0])
  })

  it('nor a function that is only named', () => {
    expect(audit(global('os', 'getcwd')).unsafe).toEqual([])
  })
})

describe('a dangerous function is found', () => {
  const danger = global('os', 'system')
  const dict = (key: string, value: Buffer) => Buffer.concat([Buffer.from('}'), text(key), value, Buffer.from('s')])
  const object = Buffer.concat([global('mine', 'Box'), Buffer.from(')\x81', 'latin1')])
  const built = (state: Buffer) => Buffer.concat([object, state, Buffer.from('b')])

  it.each([
    ['deep in tuples', call(global('mine', 'f'), tuple(tuple(tuple(danger))))],
    ['behind many others', call(global('mine', 'f'), tuple(...Array.from({ length: 40 }, () => text('x')), danger))],
    ['in a dict', call(global('mine', 'f'), dict('key', danger))],
    [
      'in a set',
      call(global('mine', 'f'), Buffer.concat([Buffer.from('\x8f(', 'latin1'), danger, Buffer.from('\x90', 'latin1')])),
    ],
    ['in a class made on the spot', call(global('builtins', 'type'), text('X'), tuple(), dict('__setstate__', danger))],
    ['as what takes the next state', Buffer.concat([built(dict('__setstate__', danger)), text('x'), Buffer.from('b')])],
    ['as what takes the next item', Buffer.concat([built(dict('append', danger)), text('x'), Buffer.from('a')])],
  ])('%s', (_, pickle) => {
    expect(audit(pickle).unsafe).toEqual([expect.stringContaining('os.system')])
  })

  it('nowhere in an attribute that nothing calls', () => {
    expect(audit(built(dict('loader', global('numpy', 'load')))).unsafe).toEqual([])
    expect(audit(call(global('platform', 'uname_result'), text('Linux'))).unsafe).toEqual([])
  })
})
