;; the function needs a memory
(component (import "f" (func $f (result (tuple u8 u8)))) (core func (canon lower (func $f))))
