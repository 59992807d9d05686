// Search as you type: the same page is asked for, and its results put in place of these. The address is the search.
const form = document.querySelector('[data-search]')
const player = new Audio()
let pending = null
let asked = 0
let stopAt = 0
let playing = null

function address () {
  const given = new URLSearchParams()
  for (const [name, value] of new FormData(form)) if (value) given.append(name, value)
  return `${form.action.split('?')[0]}?${given}`
}

async function look (url, push) {
  const number = ++asked
  const answer = await fetch(url)
  const found = new DOMParser().parseFromString(await answer.text(), 'text/html')
  if (number !== asked) return // a later letter was faster
  document.getElementById('results').replaceChildren(...found.getElementById('results').childNodes)
  history[push ? 'pushState' : 'replaceState'](null, '', url)
}

form.addEventListener('input', () => {
  clearTimeout(pending)
  pending = setTimeout(() => look(address(), false), 180)
})
form.addEventListener('submit', (event) => {
  event.preventDefault()
  clearTimeout(pending)
  look(address(), true)
})
addEventListener('popstate', () => location.reload())

document.getElementById('results').addEventListener('click', (event) => {
  const facet = event.target.closest('a[data-facet]')
  if (facet) {
    event.preventDefault()
    const chosen = new URL(facet.href)
    for (const field of form.elements) if (field.name) field.value = chosen.searchParams.get(field.name) ?? ''
    look(facet.href, true)
    return
  }
  const button = event.target.closest('[data-audio]')
  if (!button) return
  if (playing === button && !player.paused) {
    player.pause()
    return
  }
  if (playing) pressed(playing, false)
  playing = button
  if (player.src !== new URL(button.dataset.audio, location).href) player.src = button.dataset.audio
  player.currentTime = Number(button.dataset.start)
  stopAt = Number(button.dataset.end)
  player.play().catch(() => { button.hidden = true }) // the store has lost it
  button.dataset.from = button.dataset.start
})
player.addEventListener('play', () => playing && pressed(playing, true))
player.addEventListener('pause', () => playing && pressed(playing, false))
player.addEventListener('timeupdate', () => {
  if (playing) playing.dataset.at = String(player.currentTime)
  if (stopAt && player.currentTime >= stopAt) player.pause()
})

function pressed (button, on) {
  button.setAttribute('aria-pressed', String(on))
  button.querySelector('path').setAttribute('d', on ? 'M4 3h4v14H4zM12 3h4v14h-4z' : 'M5 3l12 7-12 7z')
}
