;; enum: the name "" is not in kebab case
(component (type (enum "")))
