// The switch between light and dark reaches the explorers, whose pages are in frames of their own.
(function () {
  const root = document.documentElement;

  function pass(frame) {
    const page = frame.contentDocument;
    if (!page?.body) return;
    page.documentElement.style.colorScheme = root.dataset.theme;
    for (const explorer of page.querySelectorAll(".descent-explorer")) {
      explorer.dataset.theme = root.dataset.theme;
    }
  }

  const frames = document.querySelectorAll("iframe[srcdoc]");
  for (const frame of frames) {
    frame.addEventListener("load", () => pass(frame));
    pass(frame);
  }
  new MutationObserver(() => frames.forEach(pass)).observe(root, { attributeFilter: ["data-theme"] });
})();
