/**
 * Splits a part of the program into what its usual work comes to and what it does not. The latter goes into a file of
 * its own, which is loaded when something in it is first asked for: until then a start neither reads it nor compiles
 * it, and its tables are not filled.
 *
 * What it means stays: functions, classes and constants are moved, and given what they name of the rest; of constants
 * only those that are made without doing anything else; and each is made once.
 */
import { analyze } from 'eslint-scope'
import { parseAst } from 'rolldown/parseAst'

/**
 * `text` is the body of a module; each of `usual` tells for a position whether a kind of work comes to it, the most
 * usual first. Gives the text of modules: `now`, with what the first comes to; and as many `late`, which are asked for
 * by the names `files`: what only the second kind of work comes to, and so on, the last with all else.
 */
export function withLateCode(text, usual, files) {
  const program = parseAst(text, { lang: 'js', sourceType: 'script' })
  const parents = link(program)
  const source = { text, plain: plainFunctions(program, text) }
  const declarations = program.body.flatMap(declared).map(({ node, kind }) => ({
    node,
    kind,
    name: exportedName(node) ?? movableName(node, source),
    /** 0 for what is made at once, then the place of its file among `files`, from 1. */
    stage: 0,
  }))
  const uses = usesOf(program, parents, declarations)
  markLate(declarations, uses, usual)
  return print(text, declarations, uses, files)
}

/** The parent of each node; and a `range` in each, which eslint-scope reads. */
function link(program) {
  const parents = new Map()
  const left = [program]
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    node.range = [node.start, node.end]
    for (const child of Object.values(node).flat()) {
      if (typeof child?.type !== 'string') continue
      parents.set(child, node)
      left.push(child)
    }
  }
  return parents
}

/** Each variable of a statement by itself: what waits may stand beside what does not. */
function declared(node) {
  const { kind, declarations = [] } = node
  return declarations.length > 1 ? declarations.map((one) => ({ node: one, kind })) : [{ node }]
}

/** As rolldown writes an export: `Object.defineProperty(exports, 'name', { get: function () { return name } })`. */
function exportedName({ type, expression }) {
  if (type !== 'ExpressionStatement' || expression.type !== 'CallExpression') return undefined
  const [object, name] = expression.arguments
  return object?.type === 'Identifier' && object.name === 'exports' ? `exports.${name.value}` : undefined
}

/** The name of what a statement declares, where it can be made at any time. */
function movableName(node, source) {
  if (node.type === 'FunctionDeclaration') return node.id.name
  if (node.type === 'ClassDeclaration') return isMadeInSilence(node, source) ? node.id.name : undefined
  const [{ id, init } = {}] = node.declarations ?? [node]
  return id?.type === 'Identifier' && init && isMadeInSilence(init, source) ? id.name : undefined
}

function isFunction({ type }) {
  return type === 'FunctionDeclaration' || type === 'FunctionExpression' || type === 'ArrowFunctionExpression'
}

/** What can be called and changes nothing. */
const silentGlobals = new Set(
  'Array BigInt Buffer JSON Map Math Number Object RegExp Set String Symbol TextDecoder TextEncoder WeakMap'.split(' '),
)
const silentMethods = new Set(
  'concat entries filter flat flatMap join keys map replace replaceAll slice split toLowerCase trim values'.split(' '),
)

/** True for an expression that does the same whenever it is evaluated. */
function isMadeInSilence(node, source) {
  if (isFunction(node)) return true
  const children = silentChildren[node.type]
  return (
    children !== undefined && children(node, source).every((child) => child === null || isMadeInSilence(child, source))
  )
}

const nothing = { type: 'None' }
const silentChildren = {
  Literal: () => [],
  Identifier: () => [],
  TemplateLiteral: ({ expressions }) => expressions,
  ArrayExpression: ({ elements }) => elements,
  ObjectExpression: ({ properties }) => properties,
  Property: ({ kind, computed, key, value }) => (kind === 'init' ? [...(computed ? [key] : []), value] : [nothing]),
  SpreadElement: ({ argument }) => [argument],
  UnaryExpression: ({ argument }) => [argument],
  BinaryExpression: ({ left, right }) => [left, right],
  LogicalExpression: ({ left, right }) => [left, right],
  ConditionalExpression: ({ test, consequent, alternate }) => [test, consequent, alternate],
  MemberExpression: ({ object, property, computed }) => [object, ...(computed ? [property] : [])],
  NewExpression: (node, source) => [
    isSilentGlobal(node.callee) || isPure(node, source) ? node.callee : nothing,
    ...node.arguments,
  ],
  CallExpression: (node, source) => [
    isSilentCallee(node.callee, source) || isPure(node, source) ? node.callee : nothing,
    ...node.arguments,
  ],
  ClassExpression: ({ superClass, body }) => [superClass, ...body.body.flatMap(madeWithClass)],
}
silentChildren.ClassDeclaration = silentChildren.ClassExpression

/** What is evaluated with the class itself: not what is made for each of its objects. */
function madeWithClass({ type, computed, key, static: isStatic, value }) {
  if (type === 'StaticBlock') return [nothing]
  return [...(computed ? [key] : []), ...(isStatic ? [value] : [])]
}

/** A call which its author or the bundler says to change nothing. */
function isPure({ start }, { text }) {
  return /\/\*\s*[#@]__PURE__\s*\*\/\s*$/.test(text.slice(Math.max(0, start - longestMark), start))
}

const longestMark = 24

function isSilentGlobal({ type, name }) {
  return type === 'Identifier' && silentGlobals.has(name)
}

function isSilentCallee(callee, { plain }) {
  if (callee.type === 'Identifier') return isSilentGlobal(callee) || plain.has(callee.name) || isModuleLoader(callee)
  if (callee.type !== 'MemberExpression') return false
  return isSilentGlobal(callee.object) || (!callee.computed && silentMethods.has(callee.property.name))
}

/** The names of functions that do nothing but give a value, made in silence. */
function plainFunctions(program, text) {
  const source = { text, plain: new Set() }
  for (const { type, id, body } of program.body) {
    if (type !== 'FunctionDeclaration' || body.body.length !== 1) continue
    const [{ type: only, argument }] = body.body
    if (only === 'ReturnStatement' && argument && isMadeInSilence(argument, source)) source.plain.add(id.name)
  }
  return source.plain
}

/** As rolldown calls what makes a CommonJS module when it is first asked for. */
function isModuleLoader({ name }) {
  return name.startsWith('require_')
}

/** Where one statement names what another declares. */
function usesOf(program, parents, declarations) {
  const byName = new Map(declarations.filter(({ name }) => name).map((one) => [one.name, one]))
  const byNode = new Map(declarations.map((one) => [one.node, one]))
  const scopes = analyze(program, { ecmaVersion: 2022, sourceType: 'commonjs' })
  const [top] = scopes.acquire(program).childScopes
  return top.variables.flatMap(({ name, references }) => {
    const isState = references.some((one) => one.isWrite() && !one.init && one.from !== top)
    const uses = references.map((one) => useOf(one, byName.get(name), isState, parents, byNode))
    return uses.filter(({ from, to, isChange }) => from !== to || isChange)
  })
}

function useOf(reference, to, isOfState, parents, byNode) {
  const { identifier } = reference
  const ways = [identifier]
  while (!byNode.has(ways[0])) ways.unshift(parents.get(ways[0]))
  const parent = parents.get(identifier)
  const isShort = parent.type === 'Property' && parent.shorthand
  const within = ways.findLast(isFunction)?.body.start ?? ways[0].start
  const isWrite = reference.isWrite()
  const isChange = isWrite && !reference.init
  return { to, from: byNode.get(ways[0]), identifier, within, isShort, isOfState, isWrite, isChange }
}

/**
 * After a loop that waits for something V8 takes for unreached what is not (Node 20 to 24). So a function that ran has
 * been reached, wherever it is named, and a class of which one ran; and anything else that a function names which ran.
 */
function isUseReached({ to, identifier, within }, isReached) {
  return bodiesOf(to.node, within).some(isReached) || isReached(identifier.start)
}

function bodiesOf(node, within) {
  if (node.type === 'FunctionDeclaration') return [node.body.start]
  const { body } = classOf(node) ?? {}
  if (body === undefined) return [within]
  return body.body.flatMap(({ type, value }) => (type === 'MethodDefinition' ? [value.body.start] : []))
}

function classOf(node) {
  if (node.type === 'ClassDeclaration') return node
  const [{ init } = {}] = node.declarations ?? [node]
  return init?.type === 'ClassExpression' ? init : undefined
}

/** What stays, and all that the usual work comes to from there, is made at once; what else a kind of work comes to, with it. */
function markLate(declarations, uses, usual) {
  const fixed = new Set(
    uses.flatMap(({ from, to, isWrite, isOfState }) => [isWrite && to, isOfState && isValue(from) && from]),
  )
  const isMovable = (one) => one.name !== undefined && one.name !== entry && !fixed.has(one)
  for (const one of declarations) one.stage = isMovable(one) ? usual.length : 0
  for (const [stage, isReached] of usual.entries()) {
    const reached = uses.filter((use) => use.to !== undefined && isUseReached(use, isReached))
    const usesFrom = new Map()
    for (const use of reached) usesFrom.set(use.from, [...(usesFrom.get(use.from) ?? []), use])
    const isAsked = ({ name, node }) => stage > 0 && name?.startsWith('exports.') && isReached(getterStart(node))
    for (const one of declarations) if (one.stage > stage && isAsked(one)) one.stage = stage
    const left = declarations.filter((one) => one.stage <= stage)
    for (let one = left.pop(); one !== undefined; one = left.pop()) {
      for (const { to } of usesFrom.get(one) ?? []) {
        if (to.stage <= stage) continue
        left.push(to)
        to.stage = stage
      }
    }
  }
}

/** Where the body of an export's function begins, which runs when another part asks for it. */
function getterStart({ expression }) {
  return expression.arguments[2].properties.find(({ key }) => key.name === 'get').value.body.start
}

/** The one export that is there before all else is asked for. */
const entry = 'exports.main'

function isValue({ node }) {
  return node.type === 'VariableDeclaration' || node.type === 'VariableDeclarator'
}

function print(text, declarations, uses, files) {
  const across = uses.filter(({ from, to }) => to !== undefined && to.stage > 0 && from.stage !== to.stage)
  const askedBack = uses.filter(({ from, to }) => from.stage > 0 && !to?.stage)
  const isAccessed = ({ from, to, isOfState }) => (to?.stage ? from.stage !== to.stage : isOfState) && from.stage > 0
  const edits = uses.flatMap((use) => {
    if (isAccessed(use)) return [edit(use, accessFrom(use))]
    return across.includes(use) ? [edit(use, `($late${use.to.stage}(), $${use.identifier.name})`)] : []
  })
  const textOf = ({ node: { start, end }, kind }) => {
    const own = edited(text, start, end, edits)
    return kind === undefined ? own : `${kind} ${own};`
  }
  const textsOf = (stage) => declarations.filter((one) => one.stage === stage).map(textOf)
  const stages = files.map((file, index) => {
    const stage = index + 1
    const given = namesOf(across.filter(({ to }) => to.stage === stage))
    const accessed = uses.filter((use) => use.from.stage === stage && isAccessed(use))
    const states = namesOf(accessed.filter(({ to }) => !to?.stage))
    const others = accessed.filter(({ to }) => to?.stage)
    const values = namesOf(askedBack.filter(({ from }) => from.stage === stage)).filter((one) => !states.includes(one))
    const accessors = [
      ...states.map((name) => `get ${name}() { return ${name} }, set ${name}($value) { ${name} = $value }`),
      ...namesOf(others).map((name) => {
        const { to } = others.find(({ identifier }) => identifier.name === name)
        return `get ${name}() { return $late${to.stage}(), $${name} }`
      }),
    ]
    return { stage, file, given, values, accessors }
  })
  const exported = declarations.filter(({ stage, name }) => stage === files.length && name?.startsWith('exports.'))
  const now = `
    ${textsOf(0).join('\n')}
    ${stages.map(loaderText).join('\n')}
    ${openerText(
      files.length,
      exported.map(({ name }) => name.slice('exports.'.length)),
    )}
    exports.$late = $late;`
  const late = stages.map(
    ({ stage, given, values }) => `
    module.exports = (exports, $now) => {
      const { ${values.join(', ')} } = $now;
      ${textsOf(stage).join('\n')}
      return { ${given.join(', ')} }
    }`,
  )
  return { now, late }
}

/** `$late()` gives all exports to other parts. Those in the last file are there when they are first asked for. */
function openerText(last, exported) {
  if (last === 1) return 'function $late() { $late1(); return exports }'
  const others = Array.from({ length: last - 1 }, (_, index) => `$late${index + 1}();`)
  return `
    var $isOpen;
    function $late() {
      ${others.join(' ')}
      if ($isOpen || $isMade${last}) return exports;
      $isOpen = true;
      for (const name of ${JSON.stringify(exported.join(' '))}.split(' '))
        Object.defineProperty(exports, name, {
          enumerable: true, configurable: true, get: function () { $late${last}(); return exports[name] }
        });
      return exports
    }`
}

/** `$late1()` has what is in the first file made, where it is not yet, and `$name` is what is called so there. */
function loaderText({ stage, file, given, values, accessors }) {
  return `
    var $isMade${stage}${given.map((name) => `, $${name}`).join('')};
    function $late${stage}() { if (!$isMade${stage}) $make${stage}() }
    function $make${stage}() {
      ({ ${given.map((name) => `${name}: $${name}`).join(', ')} } =
        require(${JSON.stringify(file)})(exports, { ${[...values, ...accessors].join(', ')} }));
      $isMade${stage} = true
    }`
}

function namesOf(uses) {
  return [...new Set(uses.map(({ identifier }) => identifier.name))]
}

function edit({ identifier: { start, end, name }, isShort }, value) {
  return { start, end, text: isShort ? `${name}: ${value}` : value }
}

/**
 * A variable that functions change is asked for each time, and what another file has, which may not be there yet. What
 * is called so must not take `$now` for its `this`.
 */
function accessFrom({ identifier: { name }, isWrite }) {
  return isWrite ? `$now.${name}` : `(0, $now.${name})`
}

function edited(text, start, end, edits) {
  const inside = edits.filter((one) => one.start >= start && one.end <= end).sort((a, b) => a.start - b.start)
  let at = start
  let made = ''
  for (const edit of inside) {
    made += text.slice(at, edit.start) + edit.text
    at = edit.end
  }
  return made + text.slice(at, end)
}
