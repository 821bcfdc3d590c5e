;; the function needs a memory
(component (type $t (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8)) (import "f" (func $f (param "a" $t) (param "b" $t))) (core func (canon lower (func $f))))
