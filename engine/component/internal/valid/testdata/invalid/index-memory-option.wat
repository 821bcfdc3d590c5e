;; core memory 0 is not there
(component (import "f" (func $f)) (core func (canon lower (func $f) (memory 0))))
