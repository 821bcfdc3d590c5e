(component (core type (module (type $a (func (param i32))) (alias outer 0 $a (type $b)) (import "a" "b" (func (type $b))))))
