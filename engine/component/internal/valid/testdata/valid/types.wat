(component
  (type $r' (record (field "a" u8) (field "b-C" string))) (import "r" (type $r (eq $r')))
  (type $v' (variant (case "none") (case "some" $r))) (import "v" (type $v (eq $v')))
  (type $f' (flags "a" "b")) (import "f" (type $f (eq $f')))
  (type $e' (enum "x" "y")) (import "e" (type $e (eq $e')))
  (import "fn" (func (param "p" (list (tuple $r (option $v)))) (param "q" (result $f (error $e))) (result (result)))))
