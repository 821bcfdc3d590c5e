;; flags: the name "1a" is not in kebab case
(component (type (flags "1a")))
