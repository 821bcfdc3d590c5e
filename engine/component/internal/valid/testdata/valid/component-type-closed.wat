(component (type $t (component (export "r" (type $r (sub resource))) (import "f" (func)) (export "g" (func (result (own $r)))))) (import "c" (component (type $t))))
