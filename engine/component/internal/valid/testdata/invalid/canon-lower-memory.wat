;; the function needs a memory
(component (import "f" (func $f (param "a" string))) (core func (canon lower (func $f))))
