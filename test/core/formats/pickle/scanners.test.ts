/**
 * The audit held against what three public scanners say of the same calls (picklescan 1.0.5, fickling 0.1.12, modelscan
 * 0.8.8; test/interop asks them again). Each difference has its reason here, and there is no other.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { auditPickle, readCalls } from '../../../../src/core/formats/pickle/index.js'
import { callOf, dangerousNames, generatedPickles, plainNames } from './generated-pickles.js'

const fixture = new URL('../../../fixtures/audit/scanners.json', import.meta.url)
const verdicts = Object.entries(JSON.parse(readFileSync(fixture, 'utf8')) as Record<string, string[]>)

const explained = new Map([
  ...because(
    'a tuple with names, or a description of a file or an answer, which the constructor only fills',
    `os stat_result|os uname_result|os terminal_size|os times_result|os sched_param|posix stat_result|posix uname_result
     nt stat_result|sys version_info|platform uname_result|subprocess CompletedProcess|zipfile ZipInfo|tarfile TarInfo
     urllib.parse ParseResult|urllib.parse SplitResult|types SimpleNamespace|uuid UUID|distutils.version LooseVersion
     inspect Signature|inspect Parameter|joblib.numpy_pickle NumpyArrayWrapper|logging Logger`,
  ),
  ...because(
    'a member of an enumeration, taken by its value',
    'socket AddressFamily|ssl TLSVersion|signal Signals|uuid SafeUUID|http HTTPStatus',
  ),
  ...because(
    'an exception, made and not raised',
    'subprocess CalledProcessError|asyncio CancelledError|asyncio TimeoutError',
  ),
  ...because(
    'runs what it is given, and only that: a dangerous function among its arguments is told',
    'builtins getattr|__builtin__ getattr|functools partial|functools reduce|types MethodType',
  ),
  ...because(
    'computes from its arguments, and opens and imports nothing',
    `builtins print|operator itemgetter|operator add|_operator itemgetter|difflib SequenceMatcher
     difflib unified_diff|logging getLogger`,
  ),
  ...because('an object whose class runs nothing when it is made', 'unittest TestCase|unittest.mock MagicMock'),
  ...because(
    'the class of a compiled module, as a whole module that was saved has it; what compiles is told',
    'torch._dynamo.eval_frame OptimizedModule|torch.jit._script RecursiveScriptModule',
  ),
  ...because(
    'lists within every TorchScript archive',
    'torch.jit._pickle build_intlist|torch.jit._pickle restore_type_tag',
  ),
  ...because("many people's own package has this name; of Python's, test.support is told", 'test x'),
])

/** The reason by each name. */
function because(reason: string, names: string): [string, string][] {
  return names.split(/[|\n]/).map((name) => [name.trim(), reason])
}

function isUnsafe(name: string): boolean {
  return isUnsafePickle(callOf(name))
}

function isUnsafePickle(pickle: Uint8Array): boolean {
  return auditPickle(readCalls(pickle)).unsafe.length > 0
}

describe('a call that a public scanner calls dangerous', () => {
  const dangerous = verdicts.filter(([, scanners]) => scanners.length > 0).map(([name]) => name)

  it('is told here too, or there is a reason why not', () => {
    expect(dangerous.length).toBeGreaterThan(200)
    expect(dangerous.filter((name) => !isUnsafe(name) && !explained.has(name))).toEqual([])
  })

  it('is not told where it is explained as harmless', () => {
    expect([...explained.keys()].filter(isUnsafe)).toEqual([])
  })
})

describe('a call that no public scanner calls dangerous', () => {
  it('is told here where it runs or opens something all the same', () => {
    const alone = verdicts.filter(([name, scanners]) => scanners.length === 0 && isUnsafe(name)).map(([name]) => name)
    expect(alone).toEqual([
      // Runs the text of a module that lies in the file.
      'torch.fx.graph_module reduce_graph_module',
      // Read other files, mostly other pickles, or evaluate a text.
      ...['numpy load', 'numpy fromfile', 'sympy sympify', 'jsonpickle decode', 'IPython start_ipython'],
      ...['pandas read_pickle', 'keras.models load_model', 'yaml load', 'io open_code'],
      // Wraps an open file; no pickle of a program's own holds one.
      '_io TextIOWrapper',
      'pathlib Path.write_text',
    ])
  })
})

describe('generated calls: each callable in each way in which a pickle can call', () => {
  const written = new URL('../../../fixtures/audit/generated.json', import.meta.url)
  const said = new Map(Object.entries(JSON.parse(readFileSync(written, 'utf8')) as Record<string, string[]>))
  const bad = generatedPickles(dangerousNames)
  const good = generatedPickles(plainNames)

  it('are those of which the public scanners were asked', () => {
    expect([...said.keys()]).toEqual([...bad.keys(), ...good.keys()])
    expect(said.size).toBeGreaterThan(200)
  })

  it('are told where they run something, also those that no scanner tells', () => {
    expect([...bad].filter(([, pickle]) => !isUnsafePickle(pickle)).map(([name]) => name)).toEqual([])
    const alone = [...bad.keys()].filter((name) => said.get(name)?.length === 0)
    expect(alone).toEqual(['importlib import_module by NEWOBJ_EX'])
  })

  it('are not told where they only make something, and no scanner tells them either', () => {
    expect([...good].filter(([, pickle]) => isUnsafePickle(pickle)).map(([name]) => name)).toEqual([])
    expect([...good.keys()].filter((name) => said.get(name)?.length !== 0)).toEqual([])
  })
})

describe('what opens, writes or imports what it is given, or runs it', () => {
  it.each(
    `tokenize open|wave open|mailbox mbox|zipapp create_archive|uu decode|xml.sax parse|xml.sax make_parser
     xml.etree.ElementTree parse|xml.etree.ElementTree ElementTree.write|tracemalloc Snapshot.load|pstats Stats
     readline write_history_file|_xxsubinterpreters run_string|_interpreters call|_testcapi run_in_subinterp
     _bootsubprocess Popen|pkg_resources run_script|_posixshmem shm_unlink|_gdbm open|json.tool main|pytest main
     gevent.subprocess Popen|psutil Process.kill|git Repo|mako.template Template|PIL.Image open
     PIL.ImageMath unsafe_eval|fsspec open|torch from_file|torch UntypedStorage.from_file
     torch._C _load_mobile_module_from_file|torch._C PyTorchFileWriter|torch.cuda.memory _dump_snapshot
     torch.utils.tensorboard SummaryWriter|torch.distributed init_process_group|numpy.core.multiarray fromfile
     numpy ndarray.tofile|numpy.lib.format open_memmap|pandas DataFrame.query|pandas DataFrame.to_pickle
     tensorflow.raw_ops WriteFile|tensorflow.io.gfile GFile|keras.utils get_file
     keras.src.saving.serialization_lib deserialize_keras_object|omegaconf OmegaConf.load
     fairseq.utils import_user_module|transformers pipeline|lxml.etree parse|sklearn.datasets fetch_openml
     copyreg pickle|codecs register|timm.models load_checkpoint|llvmlite.binding load_library`.split(/\s*[|\n]\s*/),
  )('%s is told', (name) => {
    expect(isUnsafe(name)).toBe(true)
  })
})

describe('constructors of plain data', () => {
  it.each(
    `_io BytesIO|_io StringIO|io BytesIO|os stat_result|posix uname_result|datetime datetime|decimal Decimal|uuid UUID
     pathlib PosixPath|collections OrderedDict|enum Enum|numpy ndarray|numpy dtype|torch Size|torch device
     torch.optim.sgd SGD|argparse Namespace|time struct_time|array _array_reconstructor|resource struct_rusage
     xml.etree.ElementTree Element|tracemalloc Statistic|numpy.random._pickle __bit_generator_ctor|PIL.Image Image
     numpy.random._pickle __randomstate_ctor|sklearn.tree._tree Tree|sklearn.neighbors._dist_metrics newObj
     torch.utils.data.dataloader DataLoader|torch.autograd.profiler profile|lxml.etree _Element
     fsspec.implementations.local LocalFileSystem|torch.utils.benchmark.utils.common Measurement
     mmengine.config.config ConfigDict|lightning.fabric.utilities.data AttributeDict|matplotlib.colors ListedColormap
     omegaconf.dictconfig DictConfig|transformers.training_args TrainingArguments|__main__ Net`.split(/\s*[|\n]\s*/),
  )('%s runs nothing', (name) => {
    expect(isUnsafe(name)).toBe(false)
  })
})
