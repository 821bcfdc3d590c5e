;; "A-b": the name is there already, as "a-B"
(component (import "a-B" (func)) (import "A-b" (func)))
