/**
 * Which classes and functions run or open something when they are called. A call is judged, not its module: what only
 * makes data (`io.BytesIO`, `os.stat_result`, `uuid.UUID`) is not a danger in the company of what is.
 */

/** A module, and the attributes that lead on from it. */
export interface Name {
  readonly module: string
  readonly attributes: readonly string[]
  /** More attributes than are followed: no checkpoint needs that, and what lies behind them could be anything. */
  readonly isWinding: boolean
}

const mostAttributes = 16
/** Characters of a name; none that does something is so long. */
const longestName = 200

export function bounded(text: string): string {
  return text.length > longestName ? `${text.slice(0, longestName)}…` : text
}

/** True where no further attribute is followed. */
export function isDeep(depth: number): boolean {
  return depth > mostAttributes
}

/** What `path` leads to from a module, or from what a name has led to already. */
export function nameOf(module: string, path: string, before?: Name): Name {
  const parts = bounded(path).split('.', mostAttributes + 1)
  const attributes = [...(before?.attributes ?? []), ...parts]
  const isCut = path.length > longestName && path.includes('.')
  const isWinding = before?.isWinding === true || isCut || attributes.length > mostAttributes
  return { module, attributes: attributes.slice(0, mostAttributes), isWinding }
}

export function textOfName({ module, attributes, isWinding }: Name): string {
  return [module, ...attributes, ...(isWinding ? ['…'] : [])].join('.')
}

/** Words of a text. They are taken apart when the first is looked for: most starts come to no pickle. */
interface Words {
  has: (word: string) => boolean
}

function words(text: string, set?: Set<string>): Words {
  return { has: (word) => (set ??= new Set(text.split(/\s+/))).has(word) }
}

/** The same of names with dots, for what lies below them: `has` is true of these and of all that they lead to. */
function branches(text: string, list?: string[]): Words {
  return { has: (name) => (list ??= text.split(/\s+/)).some((branch) => isWithin(name, branch)) }
}

/** What these call is a finding, whatever lies below them, but for plain data. */
const dangerousPackages = words(
  `os posix nt subprocess shutil sys io socket webbrowser ctypes importlib multiprocessing asyncio urllib xmlrpc
    distutils setuptools pip ensurepip venv idlelib lib2to3 wsgiref dbm tkinter concurrent sqlite3 urllib3 requests httpx
    aiohttp paramiko pexpect IPython jsonpickle _pyrepl pkg_resources _distutils_hack _testcapi _testinternalcapi
    mako psutil sh plumbum fabric invoke docker git pysftp asyncssh pycurl wget gdown yt_dlp websocket websockets redis
    pymongo psycopg2 MySQLdb pymysql ldap zmq smbclient treq grequests requests_html twisted gevent eventlet trio anyio
    boto3 s3fs`,
)

/** The same for packages that lie within others. */
const dangerousBranches = branches(
  `numpy.f2py numpy.distutils numpy.testing test.support test.libregrtest logging.handlers logging.config torch.distributed.rpc
    torch.distributed.elastic torch.distributed.launcher torch.distributed.run torch.distributed.launch
    torch.multiprocessing torch.utils.bottleneck torch.utils.collect_env torch.utils.cpp_extension torch.utils.hipify
    torch.testing._internal torch.utils._config_module torch.utils.data.datapipes.utils.decoder torch.package
    torch.utils.tensorboard`,
)

/** The same for modules with nothing below them: other things may lie in a folder of such a name. */
const dangerousModules = words(
  `ntpath posixpath _posixsubprocess _io _socket socketserver ssl antigravity pty tty pdb bdb profile cProfile
    trace timeit doctest code codeop runpy _frozen_importlib _frozen_importlib_external imp _imp pkgutil zipimport pydoc
    pickle _pickle cPickle marshal shelve _ctypes cffi mmap _winapi winreg msvcrt signal _signal atexit threading _thread
    http.client http.server httplib urllib2 ftplib smtplib telnetlib poplib imaplib nntplib xmlrpclib tempfile glob
    fileinput linecache zipfile tarfile gzip bz2 lzma commands popen2 _aix_support _osx_support _sqlite3
    site compileall py_compile smtpd cgi cgitb turtle faulthandler fcntl crypt select selectors syslog filecmp
    sched gc genericpath nturl2path pipes asyncore asynchat zipapp uu binhex mailbox wave aifc sunau modulefinder pyclbr
    readline rlcompleter curses getpass netrc pstats tabnanny sndhdr imghdr ossaudiodev _posixshmem _tkinter termios _gdbm
    _dbm _multiprocessing _xxsubinterpreters _interpreters _interpqueues _bootsubprocess
    child_process process fs vm`,
)

/**
 * Functions of these build or run code, start processes, or lead to what does; their classes are data. What stands in
 * lower case is a function, and so is an attribute of a class.
 */
const functionsOf = branches(
  `uuid platform inspect unittest xml mimetypes tracemalloc cloudpickle dill joblib torch._dynamo torch._inductor torch.jit torch.compile
    torch.fx.experimental.symbolic_shapes torch.fx.graph_module hydra`,
)

/** Attributes that lead from any object to all others. */
const dangerousAttributes = words(
  '__globals__ __builtins__ __subclasses__ __import__ __loader__ __class__ __bases__ __mro__ __code__ builtins',
)

const dangerousBuiltins = words(
  `eval exec execfile open file compile __import__ input raw_input breakpoint exit quit globals locals vars
    setattr delattr reload help apply`,
)

/** In whatever module a function of such a name lies, it runs what it is given, or imports what that names. */
const dangerousAnywhere = words(
  `eval exec execfile system popen popen2 popen3 popen4 runstring instantiate instantiate_class instantiate_module
    instantiate_node import_module import_string import_object import_class import_attr import_by_name import_from_string
    import_from_path import_class_by_path dynamic_import locate resolve_name load_object run_command run_cmd run_shell
    run_subprocess check_call check_output open main _main Popen urlopen urlretrieve runcode run_string run_process
    exec_command getoutput getstatusoutput unsafe_eval cython_inline call_command load_library import_user_module
    get_class_from_dynamic_module deserialize_keras_object`,
)

/** A path's own methods that change or read what lies there. */
const pathMethods = /^(?:write_|read_|open$|unlink$|rmdir$|mkdir$|touch$|rename$|replace$|chmod$|\w*_to$)/

/** Of harmless modules, what runs or opens something. */
const dangerousNames = words(
  `operator.methodcaller _operator.methodcaller operator.attrgetter _operator.attrgetter
    types.FunctionType types.CodeType types.LambdaType types.ModuleType pandas.eval pandas.core.computation.eval.eval
    numpy.fromfile numpy.memmap numpy.loadtxt numpy.genfromtxt numpy.savetxt numpy.core.memmap.memmap
    numpy._core.memmap.memmap numpy.DataSource numpy.lib._datasource.DataSource numpy.f2py.crackfortran.myeval
    copyreg.add_extension copy_reg.add_extension
    logging.FileHandler logging.basicConfig torch.storage._load_from_bytes torch.compile codecs.open
    resource.setrlimit scipy.io.loadmat numexpr.evaluate numexpr.necompiler.evaluate
    sympy.sympify sympy.core.sympify.sympify sympy.S sympy.parse_expr sympy.parsing.sympy_parser.parse_expr
    sympy.parsing.sympy_parser.eval_expr sympy.lambdify sympy.utilities.lambdify.lambdify
    torch._dynamo.guards.GuardBuilder torch._dynamo.guards.CheckFunctionManager
    torch.jit.CompilationUnit torch._C.CompilationUnit torch._C.PyTorchFileReader torch._C.PyTorchFileWriter
    torch.utils.benchmark.Timer torch.utils.benchmark.utils.timer.Timer torch.distributed.init_process_group
    torch.distributed.distributed_c10d.init_process_group copyreg.pickle copy_reg.pickle codecs.register _codecs.register
    transformers.pipeline`,
)

/** A function of these that is named as a loader reads another file, and mostly another pickle. */
const loadingModules = words(
  `torch torchvision torchaudio numpy pandas tensorflow keras yaml onnx scipy safetensors transformers jax flax
    joblib dill cloudpickle huggingface_hub mlflow nltk skops lightgbm xgboost catboost spacy gensim omegaconf mmengine
    mmcv timm fairseq pytorch_lightning lightning datasets evaluate sklearn PIL matplotlib cv2 fsspec torchtext lxml`,
)
const loader =
  /^_{0,2}(?:legacy_|unsafe_|full_)?loads?$|^(?:_?load_\w+|read_\w+|save|savez\w*|download_\w+|from_pretrained|import_\w+|\w+_download)$/
/** Of the same modules, what opens a file, writes one or evaluates a text, by other names. */
const opener =
  /^(?:from_?file|open_\w+|get_file|get_handle|http_get|tofile|_?dump|_?dump_\w+|to_(?:pickle|csv|json|excel|hdf|sql|feather|parquet|stata|html|xml|clipboard)|savefig|im(?:read|write)|eval|query|(?:py|numpy)_function|DataSource|GFile|FileIO|ReadFile|WriteFile|VideoCapture|parse|fetch_\w+)$/

/**
 * Constructors of plain data in modules that are dangerous otherwise: bytes and text in memory, tuples with names,
 * members of enumerations, descriptions of files and answers.
 */
const plainData = words(
  `_io.BytesIO _io.StringIO io.BytesIO io.StringIO os.terminal_size os.stat_result os.statvfs_result
    os.times_result os.uname_result os.sched_param os.waitid_result posix.stat_result posix.statvfs_result
    posix.times_result posix.uname_result posix.sched_param posix.waitid_result posix.terminal_size nt.stat_result
    nt.statvfs_result nt.times_result nt.uname_result nt.terminal_size shutil._ntuple_diskusage
    sys.flags sys.float_info sys.hash_info sys.int_info sys.thread_info sys.version_info
    subprocess.CompletedProcess subprocess.STARTUPINFO socket.AddressFamily socket.SocketKind socket.AddressInfo
    socket.MsgFlag ssl.TLSVersion ssl.VerifyMode ssl.VerifyFlags ssl.Options ssl.Purpose signal.Signals signal.Handlers
    signal.Sigmasks signal.struct_siginfo urllib.parse.ParseResult urllib.parse.ParseResultBytes
    urllib.parse.SplitResult urllib.parse.SplitResultBytes urllib.parse.DefragResult urllib.parse.DefragResultBytes
    zipfile.ZipInfo tarfile.TarInfo pkgutil.ModuleInfo doctest.TestResults doctest.Example selectors.SelectorKey
    sched.Event distutils.version.LooseVersion distutils.version.StrictVersion
    setuptools._distutils.version.LooseVersion setuptools._distutils.version.StrictVersion
    torch.jit._pickle.build_intlist torch.jit._pickle.build_tensorlist torch.jit._pickle.build_doublelist
    torch.jit._pickle.build_boollist torch.jit._pickle.build_tensor_from_id torch.jit._pickle.restore_type_tag
    platform.uname_result inspect.Signature inspect.Parameter inspect._ParameterKind inspect._empty
    uuid.UUID uuid.SafeUUID pickle.PickleBuffer _pickle.PickleBuffer urllib3.util.url.Url urllib3.util.retry.Retry
    urllib3.util.timeout.Timeout requests.structures.CaseInsensitiveDict requests.cookies.RequestsCookieJar
    requests.models.Response httpx.URL httpx.Headers`,
)

/** What is thrown is data as well: `subprocess.CalledProcessError`. */
const exception = /^[A-Z]\w*(?:Error|Exception|Warning|Expired|Timeout|Exit|Interrupt)$/

/** True when a call of it is a finding. */
export function isDangerous(name: Name): boolean {
  const { module, attributes, isWinding } = name
  if (isWinding) return true
  const [root = ''] = module.split('.')
  const text = textOfName(name)
  if (plainData.has(text)) return false
  // Attributes lead on into what a module has imported: torch.serialization.os.system.
  const through = attributes.slice(0, -1)
  if (through.some((part) => dangerousPackages.has(part) || dangerousAttributes.has(part))) return true
  const last = attributes.at(-1) ?? ''
  // What getattr is made of.
  if (last === '__getattribute__') return true
  if (dangerousNames.has(text) || (attributes.length === 1 && dangerousAnywhere.has(last))) return true
  if (module === 'builtins' && dangerousBuiltins.has(attributes[0] ?? '')) return true
  if (root === 'pathlib' && pathMethods.test(last)) return true
  if (loadingModules.has(root) && (loader.test(last) || opener.test(last))) return true
  if (functionsOf.has(text) && !isClass(attributes)) return true
  if (!dangerousPackages.has(root) && !dangerousModules.has(module) && !dangerousBranches.has(text)) return false
  return !exception.test(last)
}

/** By the custom of Python: a capital behind whatever underscores, and no attribute of it. */
function isClass(attributes: readonly string[]): boolean {
  return attributes.length === 1 && /^_*[A-Z]/.test(attributes[0] ?? '')
}

function isWithin(name: string, branch: string): boolean {
  return name.startsWith(branch) && (name.length === branch.length || name[branch.length] === '.')
}

/** The same of a name with dots, `os.system`, wherever in it the module ends; without one it is a builtin. */
export function isUnsafe(name: string): boolean {
  const parts = name.split('.')
  if (parts.length === 1) return isDangerous(nameOf('builtins', name))
  if (plainData.has(name)) return false
  return parts.some((_, at) => at > 0 && isDangerous(nameOf(parts.slice(0, at).join('.'), parts.slice(at).join('.'))))
}
