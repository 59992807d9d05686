// The player: the transcript follows, a word that is clicked is heard, `#t=93.4` is a place. Words are ranges of the
// text and no elements: forty thousand of them are one list of numbers, highlighted by the CSS Custom Highlight API.
const reader = document.querySelector('[data-words]')
const audio = document.querySelector('audio')
const said = [...document.querySelectorAll('.said')]
const play = document.querySelector('[data-play]')
const clock = document.querySelector('[data-clock]')
const follow = document.querySelector('[data-follow]')
const speed = document.querySelector('[data-speed]')
const lanes = document.querySelector('.lanes')
const head = lanes?.querySelector('.head')
const site = document.querySelector('[data-site]')
const duration = Number(reader.dataset.duration) || 1
const speeds = [1, 1.25, 1.5, 1.75, 2, 0.75]
const bySegment = new Map(said.map((element) => [Number(element.dataset.n), element]))
const words = [] // [start, end, segment, offset, length] by start, in seconds and UTF-16 units
const ofSegment = new Map()
let current = -1
let follows = true

const heard = typeof Highlight === 'undefined' ? null : new Highlight()
if (heard) CSS.highlights.set('heard', heard)

function readWords (segments) {
  segments.forEach((numbers, segment) => {
    let offset = 0
    let start = 0
    const own = []
    for (let at = 0; at < numbers.length; at += 4) {
      offset += numbers[at]
      start += numbers[at + 2]
      own.push([start / 1000, (start + numbers[at + 3]) / 1000, segment, offset, numbers[at + 1]])
      offset += numbers[at + 1]
    }
    ofSegment.set(segment, own)
    words.push(...own)
  })
  words.sort((one, other) => one[0] - other[0])
}

function wordAt (seconds) { // the last word that has begun, by halving
  let low = 0
  let high = words.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (words[middle][0] <= seconds + 0.001) low = middle + 1
    else high = middle
  }
  return low - 1
}

function show (seconds) {
  if (clock) clock.textContent = `${asTime(seconds)} / ${asTime(duration)}`
  if (head) for (const end of ['x1', 'x2']) head.setAttribute(end, (1000 * seconds) / duration)
  if (site) site.href = atSecond(site.dataset.site, seconds)
  const found = wordAt(seconds)
  if (found === current) return
  current = found
  reader.dataset.heard = found < 0 ? '' : String(found)
  heard?.clear()
  const word = words[found]
  const text = word && bySegment.get(word[2])?.firstChild
  if (!text) return
  const range = new Range()
  range.setStart(text, Math.min(word[3], text.length))
  range.setEnd(text, Math.min(word[3] + word[4], text.length))
  heard?.add(range)
  if (follows && audio && !audio.paused) into(range)
  let now = null
  for (const chapter of document.querySelectorAll('[data-chapter]')) {
    chapter.removeAttribute('aria-current')
    if (Number(chapter.dataset.chapter) <= seconds) now = chapter
  }
  now?.setAttribute('aria-current', 'true')
}

function into (range) {
  const box = range.getBoundingClientRect()
  if (box.top < innerHeight * 0.25 || box.bottom > innerHeight * 0.8) {
    range.startContainer.parentElement.scrollIntoView({ block: 'center' })
  }
}

function go (seconds) {
  const place = Math.max(0, Math.min(seconds, duration))
  if (audio) audio.currentTime = place
  show(place)
}

function atSecond (address, seconds) {
  const url = new URL(address)
  if (reader.dataset.at === 'query') url.searchParams.set('t', `${Math.floor(seconds)}s`)
  else url.hash = `t=${Math.floor(seconds)}`
  return url.href
}

function asTime (seconds) {
  const whole = Math.floor(seconds)
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return (parts[0] ? parts : parts.slice(1)).map((part) => String(part).padStart(2, '0')).join(':')
}

function wordUnder (event) {
  const element = event.target.closest?.('.said')
  if (!element) return null
  const caret = document.caretPositionFromPoint?.(event.clientX, event.clientY)
  const range = caret ? null : document.caretRangeFromPoint?.(event.clientX, event.clientY)
  const offset = caret?.offset ?? range?.startOffset
  const own = ofSegment.get(Number(element.dataset.n)) ?? []
  return own.find((word) => offset <= word[3] + word[4]) ?? own.at(-1) ?? null
}

function toggle () {
  if (!audio) return
  if (audio.paused) audio.play()
  else audio.pause()
}

function toHash () {
  const found = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash)
  if (!found) return
  go(Number(found[1]))
  const word = words[current]
  if (!word) return
  // Twice: what is skipped until it is seen has a guessed height.
  bySegment.get(word[2])?.scrollIntoView({ block: 'center' })
  requestAnimationFrame(() => bySegment.get(word[2])?.scrollIntoView({ block: 'center' }))
}

function tick () {
  if (audio.paused) return
  show(audio.currentTime)
  requestAnimationFrame(tick)
}

function place () { return audio ? audio.currentTime : (words[current]?.[0] ?? 0) }

function bySentence (step) {
  const word = words[Math.max(current, 0)]
  if (!word) return
  const numbers = [...bySegment.keys()]
  const at = numbers.indexOf(word[2]) + step
  const own = ofSegment.get(numbers[Math.max(0, Math.min(at, numbers.length - 1))])
  if (own?.length) go(own[0][0])
}

async function copyQuote (event) {
  const selected = String(getSelection()).trim()
  const word = words[Math.max(current, 0)]
  const inText = getSelection().anchorNode?.parentElement?.closest('.said')
  const element = (selected && inText) || bySegment.get(word?.[2])
  if (!element) return
  const speaker = element.closest('.turn').dataset.speaker
  const begins = ofSegment.get(Number(element.dataset.n))?.[0]?.[0] ?? 0
  const address = new URL(location.href)
  address.hash = `t=${Math.round(begins * 10) / 10}`
  const quote = `“${selected || element.textContent.trim()}”\n— ${[speaker, document.title].filter(Boolean).join(', ')}\n${address.href}`
  try {
    await navigator.clipboard.writeText(quote)
    event.target.dataset.copied = quote
    document.querySelector('[data-said]').textContent = 'Copied.'
  } catch {
    document.querySelector('[data-said]').textContent = 'The browser does not let pages copy here.'
  }
}

reader.addEventListener('click', (event) => {
  if (String(getSelection())) return
  const word = wordUnder(event)
  if (word) {
    history.replaceState(null, '', `#t=${Math.round(word[0] * 100) / 100}`)
    go(word[0])
  }
})
lanes?.addEventListener('click', (event) => {
  const box = lanes.getBoundingClientRect()
  go(duration * (event.clientX - box.left) / box.width)
})
play?.addEventListener('click', toggle)
follow?.addEventListener('click', () => {
  follows = !follows
  follow.setAttribute('aria-pressed', String(follows))
})
speed?.addEventListener('click', () => {
  audio.playbackRate = speeds[(speeds.indexOf(audio.playbackRate) + 1) % speeds.length]
  speed.textContent = `${audio.playbackRate}×`
})
document.querySelector('[data-quote]')?.addEventListener('click', copyQuote)
addEventListener('hashchange', toHash)
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea, dialog')) return
  if (event.key === ' ' && !event.target.closest('button, a, summary')) toggle()
  else if (event.key === 'ArrowLeft') event.shiftKey ? bySentence(-1) : go(place() - 5)
  else if (event.key === 'ArrowRight') event.shiftKey ? bySentence(1) : go(place() + 5)
  else return
  event.preventDefault()
})
if (audio) {
  audio.addEventListener('play', () => { requestAnimationFrame(tick); pressed(true) })
  audio.addEventListener('pause', () => pressed(false))
  audio.addEventListener('seeked', () => show(audio.currentTime))
  audio.addEventListener('error', () => { document.querySelector('[data-gone]').hidden = false })
  audio.controls = false
  for (const each of document.querySelectorAll('[data-script]')) each.hidden = false
}

function pressed (playing) {
  play.setAttribute('aria-label', playing ? 'Pause' : 'Play')
  play.querySelector('path').setAttribute('d', playing ? 'M4 3h4v14H4zM12 3h4v14h-4z' : 'M5 3l12 7-12 7z')
}

const answer = await fetch(reader.dataset.words)
readWords((await answer.json()).words)
reader.classList.add('follows', 'timed')
show(0)
toHash()
reader.dataset.ready = 'true'
