/**
 * Splits a part of the program into what its usual work comes to and what it does not. The latter goes into a function
 * inside of the part, which makes all of it when something in it is first asked for: until then V8 keeps one function
 * in mind where there were thousands, and their tables are not filled.
 *
 * What it means stays: functions, classes and constants are moved within the function that they were in, so that they
 * see the same names; of constants only those that are made without doing anything else; and each is made once.
 */
import { analyze } from 'eslint-scope'
import { parseAst } from 'rolldown/parseAst'

/**
 * `text` is the body of a function; `isReached(position)` tells what the usual work comes to. Gives the text with all
 * else made late.
 */
export function withLateCode(text, isReached) {
  const program = parseAst(text, { lang: 'js', sourceType: 'script' })
  const parents = link(program)
  const declarations = program.body.map((node) => ({
    node,
    name: exportedName(node) ?? movableName(node),
    isLate: false,
  }))
  const uses = usesOf(program, parents, declarations)
  markLate(declarations, uses, isReached)
  return print(text, declarations, uses)
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

/** As rolldown writes an export: `Object.defineProperty(exports, 'name', { get: function () { return name } })`. */
function exportedName({ type, expression }) {
  if (type !== 'ExpressionStatement' || expression.type !== 'CallExpression') return undefined
  const [object, name] = expression.arguments
  return object?.type === 'Identifier' && object.name === 'exports' ? `exports.${name.value}` : undefined
}

/** The name of what a statement declares, where it can be made at any time. */
function movableName(node) {
  if (node.type === 'FunctionDeclaration') return node.id.name
  if (node.type === 'ClassDeclaration') {
    const isPlain = node.body.body.every(({ type, computed }) => type === 'MethodDefinition' && !computed)
    return isPlain ? node.id.name : undefined
  }
  if (node.type !== 'VariableDeclaration' || node.kind !== 'const' || node.declarations.length !== 1) return undefined
  const [{ id, init }] = node.declarations
  return id.type === 'Identifier' && isMadeInSilence(init) ? id.name : undefined
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
function isMadeInSilence(node) {
  if (isFunction(node)) return true
  const children = silentChildren[node.type]
  return children !== undefined && children(node).every((child) => child === null || isMadeInSilence(child))
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
  NewExpression: ({ callee, arguments: all }) => [isSilentGlobal(callee) ? callee : nothing, ...all],
  CallExpression: ({ callee, arguments: all }) => [isSilentCallee(callee) ? callee : nothing, ...all],
}

function isSilentGlobal({ type, name }) {
  return type === 'Identifier' && silentGlobals.has(name)
}

function isSilentCallee(callee) {
  if (callee.type !== 'MemberExpression') return isSilentGlobal(callee)
  return isSilentGlobal(callee.object) || (!callee.computed && silentMethods.has(callee.property.name))
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
    return uses.filter(({ from, to }) => from !== to)
  })
}

function useOf(reference, to, isOfState, parents, byNode) {
  const { identifier } = reference
  const ways = [identifier]
  while (!byNode.has(ways[0])) ways.unshift(parents.get(ways[0]))
  const parent = parents.get(identifier)
  const isShort = parent.type === 'Property' && parent.shorthand
  const within = ways.findLast(isFunction)?.body.start ?? ways[0].start
  return { to, from: byNode.get(ways[0]), identifier, within, isShort, isOfState, isWrite: reference.isWrite() }
}

/**
 * After a loop that waits for something V8 takes for unreached what is not (Node 20 to 24). So a function that ran has
 * been reached, wherever it is named; and anything else that a function names which ran.
 */
function isUseReached({ to, identifier, within }, isReached) {
  return isReached(to.node.type === 'FunctionDeclaration' ? to.node.body.start : within) || isReached(identifier.start)
}

/** What stays, and all that the usual work comes to from there, is made at once. */
function markLate(declarations, uses, isReached) {
  const fixed = new Set(
    uses.flatMap(({ from, to, isWrite, isOfState }) => [isWrite && to, isOfState && isValue(from) && from]),
  )
  for (const one of declarations) one.isLate = one.name !== undefined && one.name !== entry && !fixed.has(one)
  const reached = uses.filter((use) => use.to !== undefined && isUseReached(use, isReached))
  const usesFrom = new Map()
  for (const use of reached) usesFrom.set(use.from, [...(usesFrom.get(use.from) ?? []), use])
  const left = declarations.filter(({ isLate }) => !isLate)
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    for (const { to } of usesFrom.get(one) ?? []) {
      if (to.isLate) left.push(to)
      to.isLate = false
    }
  }
}

/** The one export that is there before all else is asked for. */
const entry = 'exports.main'

function isValue({ node }) {
  return node.type === 'VariableDeclaration'
}

function print(text, declarations, uses) {
  const askedLate = uses.filter(({ from, to }) => to?.isLate && !from.isLate)
  const edits = askedLate.map(({ identifier: { start, end, name }, isShort }) => {
    const value = `($late(), $${name})`
    return { start, end, text: isShort ? `${name}: ${value}` : value }
  })
  const textOf = ({ node: { start, end } }) => edited(text, start, end, edits)
  const names = [...new Set(askedLate.map(({ to }) => to.name))]
  const assigned = names.map((name) => `$${name} = ${name};`)
  return `
    ${declarations
      .filter(({ isLate }) => !isLate)
      .map(textOf)
      .join('\n')}
    var $isMade${names.map((name) => `, $${name}`).join('')};
    function $late() { if (!$isMade) $make(); return exports }
    exports.$late = $late;
    function $make() {
      ${declarations
        .filter(({ isLate }) => isLate)
        .map(textOf)
        .join('\n')}
      ${assigned.join('\n')}
      $isMade = true
    }`
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
