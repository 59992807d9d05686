// Search without a server: the index says which videos have the words, their passages say where. The last word may be
// the beginning of one. channelscribe/web/site.py makes the index and parts texts into words as `wordsOf` does.
const form = document.querySelector('[data-find]')
const results = document.getElementById('results')
const count = document.querySelector('[data-count]')
const template = document.querySelector('template')
const player = new Audio()
const MOST = 30 // videos whose passages are read
const WORD = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[\p{L}\p{N}]+/gu
let videos = null
let asked = 0
let playing = null
let stopAt = 0

function plain (text) {
  return text.toLowerCase().normalize('NFKD').replace(/\p{M}/gu, '').normalize('NFC')
}

function wordsOf (text) { return (plain(text).match(WORD) ?? []).map((word) => [...word].slice(0, 40).join('')) }

const read = (() => {
  const known = new Map()
  return (path, otherwise) => {
    if (!known.has(path)) known.set(path, fetch(path).then((answer) => answer.ok ? answer.json() : otherwise))
    return known.get(path)
  }
})()

async function having (word, open) {
  const shard = [...word].slice(0, 2).map((letter) => letter.codePointAt(0).toString(16)).join('-')
  const index = await read(`find/${shard}.json`, {})
  const found = new Set(index[word] ?? [])
  if (open && [...word].length > 1) {
    for (const [other, numbers] of Object.entries(index)) if (other.startsWith(word)) numbers.forEach((n) => found.add(n))
  }
  return found
}

async function look () {
  const number = ++asked
  const given = new FormData(form)
  const words = wordsOf(given.get('q'))
  const channel = given.get('channel')
  history.replaceState(null, '', words.length ? `?${new URLSearchParams([...given].filter(([, value]) => value))}` : '?')
  if (!words.length) {
    results.replaceChildren()
    count.textContent = ''
    return
  }
  const sets = await Promise.all(words.map((word, place) => having(word, place === words.length - 1)))
  const all = videos.filter((video) => (!channel || video[4] === channel) && sets.every((set) => set.has(video[0])))
  const made = []
  for (const video of all.slice(0, MOST)) {
    const text = await read(`${video[1]}/text.json`, { passages: [] })
    if (number !== asked) return // a later letter was faster
    const ranked = text.passages.map((passage) => [score(passage[4], words), passage]).filter(([points]) => points > 0)
    const best = Math.max(0, ...ranked.map(([points]) => points))
    for (const [points, passage] of ranked) if (points === best) made.push([video, text.audio, passage])
  }
  if (number !== asked) return
  results.replaceChildren(...made.slice(0, 200).map((hit) => article(hit, words)))
  count.textContent = `${made.length} passages in ${all.length} episodes${all.length > MOST ? `, those of the newest ${MOST} shown` : ''}`
}

function score (text, words) {
  const said = wordsOf(text)
  return words.filter((word, place) => said.some((each) => isMeant(each, word, place === words.length - 1))).length
}

function isMeant (said, word, open) { return said === word || (open && [...word].length > 1 && said.startsWith(word)) }

function article ([video, audio, [start, end, place, speaker, text]], words) {
  const made = template.content.cloneNode(true)
  const address = `${video[1]}/index.html#t=${place}`
  for (const link of made.querySelectorAll('a')) link.href = address
  made.querySelector('b').textContent = speaker ?? ''
  if (!speaker) made.querySelector('b').remove()
  made.querySelector('.meta a').textContent = video[2]
  made.querySelector('[data-channel]').textContent = video[4] ?? ''
  made.querySelector('[data-day]').textContent = video[3]
  made.querySelector('.time').textContent = asTime(start)
  made.querySelector('p').append(...marked(text, words))
  const button = made.querySelector('button')
  if (audio) button.addEventListener('click', () => hear(button, `${video[1]}/${audio}`, start, end))
  else button.hidden = true
  return made
}

function * marked (text, words) {
  let place = 0
  for (const found of text.matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
    const parts = wordsOf(found[0])
    if (!words.some((word, at) => parts.some((part) => isMeant(part, word, at === words.length - 1)))) continue
    yield text.slice(place, found.index)
    const mark = document.createElement('mark')
    mark.textContent = found[0]
    yield mark
    place = found.index + found[0].length
  }
  yield text.slice(place)
}

function asTime (seconds) {
  const whole = Math.floor(seconds)
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return (parts[0] ? parts : parts.slice(1)).map((part) => String(part).padStart(2, '0')).join(':')
}

function hear (button, address, start, end) {
  if (playing === button && !player.paused) {
    player.pause()
    return
  }
  playing?.setAttribute('aria-pressed', 'false')
  playing = button
  stopAt = end
  player.src = address
  player.currentTime = start
  player.play()
  button.setAttribute('aria-pressed', 'true')
}
player.addEventListener('timeupdate', () => { if (stopAt && player.currentTime >= stopAt) player.pause() })
player.addEventListener('pause', () => playing?.setAttribute('aria-pressed', 'false'))

let pending = null
form.addEventListener('input', () => {
  clearTimeout(pending)
  pending = setTimeout(look, 150)
})
form.addEventListener('submit', (event) => {
  event.preventDefault()
  look()
})

videos = await read('find/videos.json', [])
const given = new URLSearchParams(location.search)
for (const channel of [...new Set(videos.map((video) => video[4]))].filter(Boolean).sort()) {
  form.elements.channel.append(new Option(channel, channel))
}
form.elements.q.value = given.get('q') ?? ''
form.elements.channel.value = given.get('channel') ?? ''
form.dataset.ready = 'true'
look()
