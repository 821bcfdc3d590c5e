;; flags: the name "A" is there twice
(component (type (flags "a" "A")))
